import { type Static, type TSchema, Type } from "typebox"
import { Value } from "typebox/value"
import type { InstanceSpec, JobSpec, RouteSpec } from "../core/pipeline/effects.ts"

/**
 * What may be sent to an agent: a short list of typed orders, and nothing else. About what is to run, an order
 * that says more than the list is refused, not stripped: whoever says more meant something by it.
 */
const Fence = Type.Object({ app: name(), epoch: whole(), generation: whole() })
const only = { additionalProperties: false }

function name() {
  return Type.String({ pattern: "^[a-z][a-z0-9-]{0,39}$" })
}
function whole() {
  return Type.Integer({ minimum: 0 })
}
/** Milliseconds, up to a day. */
function duration() {
  return Type.Integer({ minimum: 0, maximum: 86_400_000 })
}

const id = Type.String({ pattern: "^[a-z0-9][a-zA-Z0-9._-]{0,150}$" })
/** What becomes a folder, a name in an engine and a label; the driver builds them from it. */
const instanceId = Type.String({ pattern: "^[a-z0-9][a-z0-9-]{0,150}$" })
const text = Type.String({ maxLength: 20_000 })
const command = Type.String({ minLength: 1, maxLength: 20_000, pattern: "^[^\\u0000]*$" })
const label = Type.String({ pattern: "^[a-z0-9][a-z0-9_.-]{0,59}$" })
const digest = Type.String({ pattern: "^sha256:[0-9a-f]{64}$" })
const commit = Type.String({ pattern: "^[0-9a-f]{40,64}$" })
const release = Type.String({ pattern: "^[0-9a-f]{40,64}(\\.c[1-9][0-9]{0,8})?$" })

const Health = Type.Object(
  {
    path: Type.String({ pattern: "^/[\\u0021-\\u007e]{0,2000}$" }),
    every: duration(),
    timeout: duration(),
    healthy: Type.Integer({ minimum: 0, maximum: 1_000 }),
    unhealthy: Type.Integer({ minimum: 0, maximum: 1_000 }),
  },
  only,
)
/** Never `LD_`: what the loader obeys before the program does would change what was built and tested. */
const variable = Type.String({ pattern: "^(?!LD_)[A-Za-z_][A-Za-z0-9_]{0,200}$" })
const Run = Type.Object(
  {
    start: command,
    health: Health,
    drain: duration(),
    memory: Type.Optional(Type.Integer({ minimum: 1024 ** 2, maximum: 1024 ** 5 })),
    cpus: Type.Optional(Type.Number({ minimum: 0.01, maximum: 1_024 })),
    env: Type.Record(variable, Type.String({ maxLength: 20_000, pattern: "^[^\\u0000]*$" }), {
      ...only,
      maxProperties: 500,
    }),
    keep: whole(),
  },
  only,
)

/** Opened already: an agent holds no key. */
const Configuration = Type.Object({
  version: whole(),
  values: Type.Record(Type.String(), Type.Object({ plain: Type.String({ maxLength: 40_000 }) })),
})

/** Written into labels that others read. */
const Origin = Type.Object(
  {
    source: Type.Optional(Type.String({ maxLength: 2_000, pattern: "^[a-z]+://[^\\s@$\"'`\\\\]+$" })),
    committedAt: Type.Optional(Type.Integer({ minimum: 0, maximum: 253_402_300_799_999 })),
  },
  only,
)

export const bodies = {
  ofFence: Fence,
  ofDigest: digest,
  fence: Type.Object({ app: name(), epoch: whole() }),
  // An empty list is no order that anybody means; of an application that was removed that is said in a word.
  keepArtifacts: Type.Object(
    {
      fence: Fence,
      keep: Type.Union([Type.Array(digest, { minItems: 1, maxItems: 5_000 }), Type.Literal("nothing")]),
    },
    only,
  ),
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
        origin: Type.Optional(Origin),
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
        release,
        region: text,
      }),
    ]),
  }),
  startInstance: Type.Object({
    fence: Fence,
    instance: Type.Object(
      {
        id: instanceId,
        server: label,
        region: label,
        release,
        digest,
        run: Run,
        configuration: Type.Optional(Configuration),
      },
      only,
    ),
  }),
  stopInstance: Type.Object({ fence: Fence, instance: id, grace: duration() }),
  releaseInstance: Type.Object({ fence: Fence, instance: id, drain: duration() }),
  apps: Type.Object({ apps: Type.Array(name(), { maxItems: 1_000 }) }),
  news: Type.Object({
    since: Type.Optional(Type.String({ maxLength: 100 })),
    within: Type.Optional(Type.Integer({ minimum: 0, maximum: 60_000 })),
  }),
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
