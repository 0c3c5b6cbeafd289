import type { Marks } from "./health-watch.ts"
import type { Limits } from "./limits.ts"
import type { WantedListener } from "./listeners.ts"
import type { TlsFiles } from "./secure-server.ts"
import type { RouteTable } from "./table.ts"

/** What the first process tells a worker; every order is answered, in any order. */
export type WorkerOrder =
  | { readonly verb: "begin"; readonly limits: Limits; readonly tls: TlsFiles | undefined }
  /** The table that the others have: listens and routes at once, so that nobody comes in between. */
  | {
      readonly verb: "join"
      readonly wanted: readonly WantedListener[]
      readonly routes: readonly RouteTable[]
    }
  | { readonly verb: "prepare"; readonly wanted: readonly WantedListener[] }
  | { readonly verb: "commit"; readonly routes: readonly RouteTable[] }
  | { readonly verb: "abandon" }
  | { readonly verb: "apply"; readonly routes: readonly RouteTable[] }
  | { readonly verb: "in-flight"; readonly instance: string }
  | { readonly verb: "weightless-for"; readonly instance: string }
  | { readonly verb: "hold"; readonly routes: readonly string[]; readonly forMs: number }
  | { readonly verb: "requests-on"; readonly instances: readonly string[] }
  | { readonly verb: "cut"; readonly instance: string }
  | { readonly verb: "mark"; readonly marks: Marks }
  | { readonly verb: "instances" }
  | { readonly verb: "stats" }
  /** Takes nothing new (`retiring`: others serve in its place), finishes what is under way and answers with its last counts. */
  | { readonly verb: "drain"; readonly retiring: boolean }

export type Asked = { readonly id: number; readonly order: WorkerOrder }

export type Replied =
  | { readonly id: number; readonly value: unknown }
  | {
      readonly id: number
      readonly refused: { readonly status: number; readonly code: string; readonly message: string }
    }
