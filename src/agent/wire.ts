import { type Static, type TSchema, Type } from "typebox"
import { Value } from "typebox/value"
import type { InstanceSpec, JobSpec, RouteSpec } from "../core/pipeline/effects.ts"

/** What may be sent to an agent: a short list of typed orders, and nothing else. */
const Fence = Type.Object({ app: name(), epoch: whole(), generation: whole() })

function name() {
  return Type.String({ pattern: "^[a-z][a-z0-9-]{0,39}$" })
}
function whole() {
  return Type.Integer({ minimum: 0 })
}

const id = Type.String({ pattern: "^[a-z0-9][a-zA-Z0-9._-]{0,150}$" })
const text = Type.String({ maxLength: 20_000 })
const digest = Type.String({ pattern: "^sha256:[0-9a-f]{64}$" })
const commit = Type.String({ pattern: "^[0-9a-f]{40,64}$" })

const Health = Type.Object({
  path: text,
  every: whole(),
  timeout: whole(),
  healthy: whole(),
  unhealthy: whole(),
})
const Run = Type.Object({
  start: text,
  health: Health,
  drain: whole(),
  memory: Type.Optional(whole()),
  env: Type.Record(Type.String(), text),
  keep: whole(),
})

export const bodies = {
  fence: Type.Object({ app: name(), epoch: whole() }),
  runJob: Type.Object({
    fence: Fence,
    url: Type.Optional(text),
    job: Type.Union([
      Type.Object({
        kind: Type.Literal("build"),
        id,
        server: text,
        timeout: whole(),
        commit,
        command: Type.Optional(text),
        output: text,
        network: Type.Union([Type.Literal("none"), Type.Literal("allowed")]),
      }),
      Type.Object({
        kind: Type.Literal("test"),
        id,
        server: text,
        timeout: whole(),
        digest,
        command: text,
        route: text,
        release: commit,
        region: text,
      }),
    ]),
  }),
  startInstance: Type.Object({
    fence: Fence,
    instance: Type.Object({ id, server: text, region: text, release: commit, digest, run: Run }),
  }),
  stopInstance: Type.Object({ fence: Fence, instance: id, grace: whole() }),
  releaseInstance: Type.Object({ fence: Fence, instance: id, drain: whole() }),
  setRoutes: Type.Object({ fence: Fence, routes: Type.Array(Type.Unknown(), { maxItems: 1_000 }) }),
} as const

/** The body as its schema says, or an error that names the first thing wrong with it. */
export function parse<S extends TSchema>(schema: S, body: unknown): Static<S> {
  if (Value.Check(schema, body)) return body as Static<S>
  const [first] = Value.Errors(schema, body)
  throw new BadOrder(`${first ? `${first.instancePath || "/"} ${first.message}` : "the order is malformed"}`)
}

/** An order outside of the list above. */
export class BadOrder extends Error {}

// The schemas above check; these casts only give the checked values the names that the ports use.
export const asJob = (job: unknown): JobSpec => job as JobSpec
export const asInstance = (instance: unknown): InstanceSpec => instance as InstanceSpec
export const asRoutes = (routes: unknown): readonly RouteSpec[] => routes as readonly RouteSpec[]
