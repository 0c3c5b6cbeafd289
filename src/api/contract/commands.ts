import { type Static, Type } from "typebox"

const reason = Type.String({ minLength: 1, maxLength: 2_000 })
const strict = { additionalProperties: false }

const Name = Type.String({
  pattern: "^[a-z][a-z0-9-]{0,39}$",
  description: "a name: a letter, then letters, digits and -, all small",
})

/** The bodies of everything that changes something. */
export const AddApp = Type.Object(
  {
    app: Type.Optional(Name),
    url: Type.String({ minLength: 1, maxLength: 2_000 }),
    branch: Type.Optional(
      Type.String({ pattern: "^[A-Za-z0-9][A-Za-z0-9._/-]{0,200}$", description: "the name of a branch" }),
    ),
  },
  strict,
)
export const Deploy = Type.Object(
  {
    commit: Type.Optional(
      Type.String({
        pattern: "^[0-9a-f]{4,64}$",
        description: "the id of a commit, or at least the first four characters of it",
      }),
    ),
    reason: Type.Optional(reason),
    hotfix: Type.Optional(Type.Boolean()),
  },
  strict,
)
/** Locks and freezes stand aside for so many minutes. */
export const Override = Type.Object(
  {
    reason,
    region: Type.Optional(Type.String()),
    minutes: Type.Number({ exclusiveMinimum: 0, maximum: 240 }),
  },
  strict,
)
/** What the approver saw; anything given must still be true. */
export const Approve = Type.Object(
  { reason, digest: Type.Optional(Type.String()), evidence: Type.Optional(Type.String()) },
  strict,
)
/** Paths of answers: `body.price`, `GET /items/:id body.price`. */
export const AnswerPaths = Type.Object(
  {
    reason,
    paths: Type.Array(Type.String({ minLength: 1, maxLength: 500 }), { minItems: 1, maxItems: 100 }),
  },
  strict,
)
/** The first production region that serves when none is named. */
export const Drill = Type.Object({ reason, region: Type.Optional(Type.String({ maxLength: 100 })) }, strict)
export const Reason = Type.Object({ reason }, strict)
export const Lock = Type.Object({ reason, region: Type.Optional(Type.String()) }, strict)
export const Unlock = Type.Object(
  { reason, preventive: Type.Optional(Type.String({ maxLength: 2_000 })) },
  strict,
)
export const Policy = Type.Object({ yaml: Type.String({ maxLength: 262_144 }) }, strict)
/** Keys to set or, without a value, to take away; in one region, or in all that have none of their own. */
export const Configure = Type.Object(
  {
    changes: Type.Array(
      Type.Object(
        {
          key: Type.String({ minLength: 1, maxLength: 100 }),
          region: Type.Optional(Type.String({ maxLength: 100 })),
          value: Type.Optional(Type.String({ maxLength: 20_000 })),
          /** Sealed before it is stored, and never shown again. */
          secret: Type.Optional(Type.Boolean()),
        },
        strict,
      ),
      { minItems: 1, maxItems: 200 },
    ),
    reason,
  },
  strict,
)
export const RestoreConfiguration = Type.Object({ version: Type.Integer({ minimum: 0 }), reason }, strict)
/** What instances push; `time` in ISO 8601 or milliseconds since 1970. */
export const Measurements = Type.Object(
  {
    measurements: Type.Array(
      Type.Object(
        {
          instance: Type.String({ minLength: 1, maxLength: 200 }),
          release: Type.String({ pattern: "^[0-9a-f]{7,64}(\\.c[0-9]+)?$" }),
          metric: Type.String({ minLength: 1, maxLength: 100 }),
          time: Type.Optional(Type.Union([Type.String({ maxLength: 40 }), Type.Number()])),
          value: Type.Optional(Type.Number()),
          total: Type.Optional(Type.Integer({ minimum: 0, maximum: 1e12 })),
          bad: Type.Optional(Type.Integer({ minimum: 0, maximum: 1e12 })),
          latencies: Type.Optional(
            Type.Array(Type.Number({ minimum: 0, maximum: 1e9 }), { minItems: 1, maxItems: 10_000 }),
          ),
        },
        strict,
      ),
      { minItems: 1, maxItems: 1_000 },
    ),
  },
  strict,
)
/** Allows one server to join, once; `minutes`: for how long, an hour when absent. */
export const Invite = Type.Object(
  {
    server: Name,
    minutes: Type.Optional(Type.Integer({ minimum: 1, maximum: 10_080 })),
  },
  strict,
)
export const Done = Type.Object({ ok: Type.Literal(true), version: Type.Number() })
export type Done = Static<typeof Done>
export const Added = Type.Object({
  ok: Type.Literal(true),
  version: Type.Number(),
  app: Type.String(),
  /** Why it gets nowhere yet. */
  warning: Type.Optional(Type.String()),
})
export type Added = Static<typeof Added>
