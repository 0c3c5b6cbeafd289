import type { AppName } from "../core/model/ids.ts"
import type { Duration } from "../core/model/time.ts"
import type { Source } from "../core/pipeline/application.ts"
import { type Parts, sentence } from "./parts.ts"

/** What a look at a repository showed before its application is added. */
export type FirstLook =
  | { readonly kind: "well" }
  /** It may be added; until something is mended it gets nowhere. */
  | { readonly kind: "not-yet"; readonly because: string }
  /** Its immunity.yaml names another application. */
  | { readonly kind: "other-name"; readonly name: AppName }

/** A repository may be large: who adds it waits no longer than this, and the engine reads on. */
const longestLook: Duration = 10_000

/** Reads the newest commit's immunity.yaml. Never throws. */
export async function firstLook(
  { clock, policies, readPolicy, source }: Pick<Parts, "clock" | "policies" | "readPolicy" | "source">,
  app: AppName,
  from: Source,
): Promise<FirstLook> {
  const signal = AbortSignal.timeout(longestLook)
  try {
    const head = await source.head(from, signal)
    const seen = (await source.commits(from, undefined, head, 1, signal)).at(-1)
    const read = readPolicy(seen?.config, await policies.get(app), app, clock.now())
    if ("policy" in read) return { kind: "well" }
    return read.meantFor === undefined
      ? { kind: "not-yet", because: `its newest commit is refused: ${read.problems[0]}` }
      : { kind: "other-name", name: read.meantFor }
  } catch (error) {
    return { kind: "not-yet", because: `it could not be read: ${sentence(error)}` }
  }
}
