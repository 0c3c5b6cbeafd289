import { type Static, type TSchema, Type } from "typebox"

/** The words of immunity.yaml. This object is the published JSON Schema and the check at once. */
const strict = { additionalProperties: false }
const maybe = <T extends TSchema>(type: T) => Type.Optional(type)

const name = Type.String({
  pattern: "^[a-z][a-z0-9-]{0,39}$",
  description: "a letter, then letters, digits and -",
})
const duration = Type.String({
  pattern: "^[0-9]+(\\.[0-9]+)?(ms|s|m|h|d)$",
  description: "a duration such as 30s, 5m, 24h",
})
const share = Type.String({ pattern: "^[0-9]+(\\.[0-9]+)? ?%$", description: "a share such as 5%" })
const amount = Type.String({
  pattern: "^[0-9]+(\\.[0-9]+)? ?(%|pp|ms|s|MB)$",
  description: "an amount with its unit: 10% (relative), 0.2pp, 20ms, 300MB",
})
const perMinute = Type.String({
  pattern: "^(?=.*[1-9])[0-9]+(\\.[0-9]+)? ?/ ?min$",
  description: "a number a minute, above 0, such as 5/min",
})
const surge = Type.Object(
  { budget: duration, then: maybe(Type.Union([Type.Literal("release"), Type.Literal("ask")])) },
  strict,
)
const drift = Type.Union([Type.Literal("replace"), Type.Literal("report")])
const memory = Type.String({
  pattern: "^[1-9][0-9]* ?(MB|GB)$",
  description: "an amount of memory such as 256MB",
})
const pathPattern = Type.String({
  pattern: "^[/*][!-~]{0,300}$",
  description: "a path such as /once/*, where a star is any text",
})
/** A copy must not act in anybody's name. */
const harmlessHeader = Type.String({
  pattern: "^(?!(authorization|cookie|proxy-authorization|x-api-key)$)[a-z0-9][a-z0-9-]{0,60}$",
  description: "the name of a header field in small letters, of none that says who asks",
})
/** What a user is recognised by, as it comes in a request. */
const first = Type.Array(
  Type.String({ pattern: "^[!-~]{1,100}$", description: "up to 100 printable characters without spaces" }),
  { minItems: 1, maxItems: 500, uniqueItems: true },
)
const selection = Type.Union([Type.Literal("hash"), Type.Literal("sha256")], {
  description: "how a side is chosen: hash, or sha256 as HAProxy does it",
})
const command = Type.String({ minLength: 1, maxLength: 10_000 })
const whole = Type.Integer({ minimum: 1, maximum: 10_000 })
const verdict = Type.Union(["ok", "worse", "unsure", "nodata"].map((kind) => Type.Literal(kind)))
const action = Type.Union(["advance", "extend", "hold", "halt", "rollback"].map((kind) => Type.Literal(kind)))
const autonomy = Type.Union(["dry-run", "manual", "auto"].map((kind) => Type.Literal(kind)))
const network = Type.Union([Type.Literal("none"), Type.Literal("allowed")], {
  description: "none cuts the network off from the build; allowed lets it fetch",
})
const router = Type.Union([Type.Literal("embedded"), Type.Literal("haproxy")], {
  description: "what carries the traffic: our own router, or HAProxy 2.6 and newer",
})
const strategy = Type.Union(
  ["immutable", "blue-green", "one-at-a-time", "canary"].map((kind) => Type.Literal(kind)),
)

const Gate = Type.Union([
  Type.Literal("button"),
  Type.Object(
    { type: maybe(Type.Literal("button")), expires: maybe(duration), notAuthor: maybe(Type.Boolean()) },
    strict,
  ),
])

const Ramp = Type.Union([Type.Literal("adaptive"), Type.Object({ harm: perMinute }, strict)])

const Compare = Type.Object(
  {
    to: maybe(Type.String()),
    for: maybe(duration),
    warmup: maybe(duration),
    minSamples: maybe(Type.Integer({ minimum: 0 })),
    extensions: maybe(Type.Integer({ minimum: 0, maximum: 100 })),
    blindLimit: maybe(duration),
  },
  strict,
)

const RegionSchema = Type.Object(
  {
    name,
    listen: Type.Union([
      Type.Integer({ minimum: 1, maximum: 65_535 }),
      Type.String({ pattern: "^[0-9.]+:[0-9]{1,5}$" }),
    ]),
    servers: maybe(Type.Array(name, { minItems: 1 })),
    size: maybe(whole),
    traffic: maybe(Type.Union([Type.Literal("production"), Type.Literal("none")])),
    tests: maybe(Type.Array(Type.String())),
    gate: maybe(Gate),
    mirror: maybe(
      Type.Union([
        Type.String(),
        Type.Object(
          {
            from: Type.String(),
            sample: maybe(share),
            timeout: maybe(duration),
            deny: maybe(Type.Array(pathPattern, { maxItems: 100 })),
            headers: maybe(Type.Array(harmlessHeader, { maxItems: 20 })),
          },
          strict,
        ),
      ]),
    ),
    compare: maybe(Compare),
    strategy: maybe(strategy),
    canary: maybe(Type.Array(share, { minItems: 1 })),
    ramp: maybe(Ramp),
    pause: maybe(duration),
    bake: maybe(duration),
    deadline: maybe(duration),
    sticky: maybe(
      Type.Union([
        Type.Literal("none"),
        Type.Literal("address"),
        Type.Object({ cookie: Type.String(), first: maybe(first), selection: maybe(selection) }, strict),
        Type.Object({ header: Type.String(), first: maybe(first), selection: maybe(selection) }, strict),
        Type.Object(
          { by: Type.Literal("address"), first: maybe(first), selection: maybe(selection) },
          strict,
        ),
      ]),
    ),
    holdRequests: maybe(duration),
    failures: maybe(Type.Literal(false, { description: "false: nothing is ended here on purpose" })),
  },
  strict,
)

const SourceSchema = Type.Object(
  {
    type: Type.Union([
      Type.Literal("prometheus"),
      Type.Literal("scrape"),
      Type.Literal("json"),
      Type.Literal("push"),
    ]),
    url: maybe(Type.String({ pattern: "^https?://", description: "an address of http or https" })),
    path: maybe(Type.String({ pattern: "^/", description: "a path such as /metrics" })),
    time: maybe(Type.String({ minLength: 1 })),
    every: maybe(duration),
  },
  strict,
)

const MetricSchema = Type.Object(
  {
    source: maybe(Type.String()),
    kind: maybe(
      Type.Union(
        ["error-proportion", "latency-quantile", "events", "gauge"].map((kind) => Type.Literal(kind)),
      ),
    ),
    query: maybe(Type.String()),
    bad: maybe(Type.String()),
    unit: maybe(Type.Union([Type.Literal("ms"), Type.Literal("s"), Type.Literal("bytes")])),
    q: maybe(Type.Number({ exclusiveMinimum: 0, exclusiveMaximum: 1 })),
    worse: maybe(Type.Union([Type.Literal("up"), Type.Literal("down")])),
    critical: maybe(Type.Boolean()),
    tolerate: maybe(Type.Union([amount, Type.Array(amount)])),
    max: maybe(Type.Union([amount, Type.Number({ minimum: 0 })])),
    min: maybe(Type.Union([amount, Type.Number({ minimum: 0 })])),
  },
  strict,
)

const AnswersSchema = Type.Object(
  {
    ask: maybe(
      Type.Array(Type.String({ pattern: "^/[!-~]{0,500}$", description: "a path such as /items?page=2" }), {
        maxItems: 100,
      }),
    ),
    accept: maybe(Type.Array(Type.String({ maxLength: 500 }), { maxItems: 100 })),
    every: maybe(duration),
  },
  strict,
)

const percent = Type.Number({ minimum: 0, maximum: 100 })
const factor = Type.Number({ minimum: 0 })
const JudgeSchema = Type.Union([
  Type.Literal("sequential"),
  Type.Literal("kayenta"),
  Type.Object(
    {
      type: Type.Literal("kayenta"),
      pass: maybe(percent),
      marginal: maybe(percent),
      groups: maybe(Type.Record(Type.String(), percent)),
      metrics: maybe(
        Type.Record(
          Type.String(),
          Type.Object(
            {
              groups: maybe(Type.Array(Type.String(), { minItems: 1 })),
              direction: maybe(
                Type.Union([Type.Literal("increase"), Type.Literal("decrease"), Type.Literal("either")]),
              ),
              nan: maybe(Type.Union([Type.Literal("remove"), Type.Literal("replace")])),
              mustHaveData: maybe(Type.Boolean()),
              outliers: maybe(factor),
              effect: maybe(Type.Union([Type.Literal("meanRatio"), Type.Literal("cles")])),
              allowedIncrease: maybe(factor),
              allowedDecrease: maybe(factor),
              criticalIncrease: maybe(factor),
              criticalDecrease: maybe(factor),
              muted: maybe(Type.Boolean()),
            },
            strict,
          ),
        ),
      ),
    },
    strict,
  ),
])

const DecisionsSchema = Type.Object(
  {
    policy: maybe(Type.Literal("priority")),
    default: maybe(action),
    rules: Type.Array(
      Type.Object(
        {
          id: Type.String(),
          when: Type.Object(
            {
              critical: maybe(verdict),
              any: maybe(verdict),
              count: maybe(whole),
              all: maybe(verdict),
              metric: maybe(Type.Record(Type.String(), verdict)),
              monitoring: maybe(Type.Union([Type.Literal("ok"), Type.Literal("broken")])),
              control: maybe(Type.Union([Type.Literal("ok"), Type.Literal("bad")])),
              probes: maybe(Type.Union([Type.Literal("ok"), Type.Literal("failing")])),
              reversible: maybe(Type.Boolean()),
            },
            strict,
          ),
          then: action,
          because: maybe(Type.String()),
        },
        strict,
      ),
    ),
  },
  strict,
)

const AutonomySchema = Type.Object(
  {
    default: maybe(autonomy),
    advance: maybe(autonomy),
    halt: maybe(autonomy),
    rollback: maybe(autonomy),
    regions: maybe(
      Type.Record(
        Type.String(),
        Type.Object({ advance: maybe(autonomy), halt: maybe(autonomy), rollback: maybe(autonomy) }, strict),
      ),
    ),
  },
  strict,
)

const RollbackSchema = Type.Object(
  {
    irreversible: maybe(Type.Array(Type.String())),
    scope: maybe(Type.Union([Type.Literal("region"), Type.Literal("production")])),
  },
  strict,
)

const glob = Type.String({
  pattern: "^[!-~]{1,300}$",
  description: "a glob of files such as db/migrate/**",
})
const MigrationsSchema = Type.Object(
  {
    paths: Type.Array(glob, { minItems: 1, maxItems: 50 }),
    contract: maybe(Type.Array(glob, { maxItems: 50 })),
    window: maybe(duration),
    shared: maybe(Type.Array(Type.String({ minLength: 1, maxLength: 300 }), { maxItems: 20 })),
  },
  strict,
)

const hours = {
  between: maybe(
    Type.String({
      pattern: "^([01][0-9]|2[0-3]):[0-5][0-9] ?- ?(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$",
      description: "hours of a day such as 09:00-16:00",
    }),
  ),
  days: maybe(
    Type.String({
      pattern: "^(Sun|Mon|Tue|Wed|Thu|Fri|Sat)( ?- ?(Sun|Mon|Tue|Wed|Thu|Fri|Sat))?$",
      description: "days of the week such as Mon-Fri",
    }),
  ),
  zone: maybe(Type.String()),
}
const DrillSchema = Type.Object({ every: duration, ...hours }, strict)
const FailuresSchema = Type.Object({ every: duration, ...hours }, strict)

const LockSchema = Type.Object(
  {
    on: maybe(Type.Array(Type.Union([Type.Literal("halt"), Type.Literal("rollback")]))),
    scope: maybe(Type.Union([Type.Literal("app"), Type.Literal("region")])),
    preventiveAction: maybe(Type.Boolean()),
  },
  strict,
)

const FreezeSchema = Type.Array(
  Type.Object({ name: Type.String(), when: Type.String(), zone: Type.String() }, strict),
)

export const FileSchema = Type.Object(
  {
    version: Type.Literal(1),
    app: name,
    build: maybe(
      Type.Object(
        {
          command: maybe(command),
          output: maybe(Type.String()),
          network: maybe(network),
          timeout: maybe(duration),
        },
        strict,
      ),
    ),
    start: command,
    router: maybe(router),
    run: maybe(
      Type.Object(
        {
          health: maybe(
            Type.Object(
              {
                path: maybe(Type.String({ pattern: "^/[\\u0021-\\u007e]*$" })),
                every: maybe(duration),
                timeout: maybe(duration),
                healthy: maybe(whole),
                unhealthy: maybe(whole),
              },
              strict,
            ),
          ),
          drain: maybe(duration),
          memory: maybe(memory),
          cpus: maybe(Type.Number({ minimum: 0.05, maximum: 1_024 })),
          // What the loader obeys before the program does would change what was built and tested.
          env: maybe(Type.Record(Type.String({ pattern: "^(?!LD_)[A-Za-z_][A-Za-z0-9_]*$" }), Type.String())),
          keep: maybe(Type.Integer({ minimum: 0, maximum: 10 })),
        },
        strict,
      ),
    ),
    test: maybe(command),
    tests: maybe(Type.Record(name, Type.Object({ run: command, timeout: maybe(duration) }, strict))),
    regions: Type.Array(RegionSchema, { minItems: 1, maxItems: 50 }),
    metrics: maybe(
      Type.Union([
        Type.Literal("http"),
        Type.Literal("none"),
        Type.Object(
          {
            sources: maybe(Type.Record(name, SourceSchema)),
            http: maybe(Type.Boolean()),
            list: maybe(Type.Record(Type.String({ pattern: "^[a-z][a-z0-9_]{0,60}$" }), MetricSchema)),
          },
          strict,
        ),
      ]),
    ),
    answers: maybe(AnswersSchema),
    judge: maybe(JudgeSchema),
    decisions: maybe(DecisionsSchema),
    autonomy: maybe(AutonomySchema),
    rollback: maybe(RollbackSchema),
    migrations: maybe(MigrationsSchema),
    lock: maybe(LockSchema),
    drift: maybe(drift),
    surge: maybe(surge),
    failures: maybe(FailuresSchema),
    maxAge: maybe(duration),
    drill: maybe(DrillSchema),
    freeze: maybe(FreezeSchema),
    notify: maybe(
      Type.Array(
        Type.Object(
          {
            webhook: Type.String({ pattern: "^https?://" }),
            on: maybe(
              Type.Array(
                Type.Union(
                  ["gate", "halt", "rollback", "lock", "hold", "removal", "success"].map((kind) =>
                    Type.Literal(kind),
                  ),
                ),
              ),
            ),
          },
          strict,
        ),
      ),
    ),
  },
  { ...strict, $schema: "https://json-schema.org/draft/2020-12/schema", title: "immunity.yaml" },
)

/** What a server pins: the same words, all optional; regions are named, not listed. */
export const PinsSchema = Type.Object(
  {
    build: maybe(Type.Object({ network: maybe(network) }, strict)),
    router: maybe(router),
    regions: maybe(Type.Record(Type.String(), Type.Partial(RegionSchema, strict))),
    decisions: maybe(DecisionsSchema),
    autonomy: maybe(AutonomySchema),
    rollback: maybe(RollbackSchema),
    migrations: maybe(MigrationsSchema),
    lock: maybe(LockSchema),
    drift: maybe(drift),
    surge: maybe(surge),
    freeze: maybe(FreezeSchema),
  },
  strict,
)

export type File = Static<typeof FileSchema>
export type RegionFile = Static<typeof RegionSchema>
export type Pins = Static<typeof PinsSchema>
export type SourceFile = Static<typeof SourceSchema>
export type HoursFile = Pick<Static<typeof FailuresSchema>, "between" | "days" | "zone">
export type JudgeFile = Static<typeof JudgeSchema>
export type MetricFile = Static<typeof MetricSchema>
