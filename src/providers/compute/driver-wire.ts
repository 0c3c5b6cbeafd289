import { type Static, type TSchema, Type } from "typebox"
import { Value } from "typebox/value"

/** What a driver answers; docs/guides/writing-a-driver.md shows each document by example. */
const version = Type.Literal(1)
const id = Type.String({ pattern: "^[a-z0-9][a-z0-9-]{0,150}$" })
const moment = Type.String({
  pattern: "^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d(\\.\\d+)?(Z|[+-]\\d\\d:\\d\\d)$",
})
const amount = Type.Number({ minimum: 0 })
const share = Type.Object({ total: amount, free: amount })

const Exit = Type.Object({
  code: Type.Optional(Type.Integer()),
  signal: Type.Optional(Type.String({ maxLength: 40 })),
  because: Type.Optional(Type.String({ maxLength: 1_000 })),
})
const Instance = Type.Object({
  id,
  state: Type.Union([Type.Literal("running"), Type.Literal("ended")]),
  address: Type.Optional(Type.String({ pattern: "^(\\[[0-9a-fA-F:]+\\]|[A-Za-z0-9.-]+):\\d{1,5}$" })),
  startedAt: moment,
  exit: Type.Optional(Exit),
  memory: Type.Optional(amount),
  differences: Type.Optional(
    Type.Array(
      Type.Object({
        path: Type.String({ maxLength: 4_000 }),
        what: Type.Union([Type.Literal("added"), Type.Literal("removed"), Type.Literal("changed")]),
      }),
      { maxItems: 1_000 },
    ),
  ),
})

export const answers = {
  capabilities: Type.Object({
    version,
    name: Type.String({ minLength: 1, maxLength: 100 }),
    verbs: Type.Array(Type.String({ maxLength: 40 }), { maxItems: 100 }),
    memory: Type.Boolean(),
    differences: Type.Boolean(),
  }),
  start: Type.Object({ version }),
  stop: Type.Object({ version }),
  forget: Type.Object({ version }),
  edit: Type.Object({ version }),
  list: Type.Object({ version, instances: Type.Array(Instance, { maxItems: 10_000 }) }),
  logs: Type.Object({ version, logs: Type.Record(Type.String(), Type.String()) }),
  capacity: Type.Object({
    version,
    instances: Type.Optional(share),
    memory: Type.Optional(share),
    cpus: Type.Optional(share),
  }),
} as const

export type Verb = keyof typeof answers
export type Answer<V extends Verb> = Static<(typeof answers)[V]>

/** Every driver has these. */
export const neededVerbs: readonly Verb[] = ["capabilities", "start", "stop", "list", "logs", "forget"]

const Refusal = Type.Object({
  version,
  refused: Type.String({ minLength: 1, maxLength: 2_000 }),
  code: Type.Optional(Type.String({ maxLength: 40 })),
})

/** The driver's own words for not doing what it was asked to. */
export const refusalIn = (document: unknown): Static<typeof Refusal> | undefined =>
  Value.Check(Refusal, document) ? document : undefined

/** The document as the protocol has it, or a sentence on the first thing wrong with it. */
export function read<S extends TSchema>(
  schema: S,
  document: unknown,
): { readonly answer: Static<S> } | { readonly wrong: string } {
  if (Value.Check(schema, document)) return { answer: document as Static<S> }
  const [first] = Value.Errors(schema, document)
  return { wrong: first ? `${first.instancePath || "/"} ${first.message}` : "it is malformed" }
}
