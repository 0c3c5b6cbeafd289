import { type Static, Type } from "typebox"
import { Value } from "typebox/value"

const text = Type.String()
const number = Type.Number()
const maybe = Type.Optional

const Effect = Type.Object({
  effectSize: maybe(Type.Union([Type.Literal("meanRatio"), Type.Literal("cles")])),
  measure: maybe(Type.Union([Type.Literal("meanRatio"), Type.Literal("cles")])),
  allowedIncrease: maybe(number),
  allowedDecrease: maybe(number),
  criticalIncrease: maybe(number),
  criticalDecrease: maybe(number),
})

const Analysis = Type.Object({
  direction: maybe(text),
  nanStrategy: maybe(text),
  critical: maybe(Type.Boolean()),
  mustHaveData: maybe(Type.Boolean()),
  muted: maybe(Type.Boolean()),
  outliers: maybe(Type.Object({ strategy: maybe(text), outlierFactor: maybe(number) })),
  effectSize: maybe(Effect),
})

const Metric = Type.Object({
  name: Type.String({ minLength: 1, maxLength: 200 }),
  query: Type.Object({
    type: text,
    metricName: maybe(text),
    labelBindings: maybe(Type.Array(text)),
    groupByFields: maybe(Type.Array(text)),
    customInlineTemplate: maybe(text),
    customFilterTemplate: maybe(text),
    customFilter: maybe(text),
  }),
  groups: maybe(Type.Array(text)),
  analysisConfigurations: maybe(Type.Object({ canary: maybe(Analysis) })),
  scopeName: maybe(text),
})

/** What of a canary config we read; there may be more in it. */
const CanaryConfig = Type.Object({
  name: maybe(text),
  judge: maybe(Type.Object({ name: maybe(text) })),
  metrics: Type.Array(Metric, { minItems: 1, maxItems: 200 }),
  templates: maybe(Type.Union([Type.Record(text, text), Type.Null()])),
  classifier: maybe(
    Type.Object({
      groupWeights: maybe(Type.Record(text, number)),
      scoreThresholds: maybe(Type.Union([Type.Object({ pass: number, marginal: number }), Type.Null()])),
    }),
  ),
})

export type CanaryConfig = Static<typeof CanaryConfig>
export type CanaryMetric = Static<typeof Metric>
export type CanaryAnalysis = Static<typeof Analysis>

/** Reads a canary config, bare or as `{ "canaryConfig": … }`. Throws, with the place, on what is none. */
export function readCanaryConfig(body: string): CanaryConfig {
  const given = parsed(body)
  const inner =
    typeof given === "object" && given !== null && "canaryConfig" in given ? given.canaryConfig : given
  const config = withoutNulls(inner)
  if (Value.Check(CanaryConfig, config)) return config
  const [first] = Value.Errors(CanaryConfig, config)
  const where = first?.instancePath ? first.instancePath.slice(1).replaceAll("/", ".") : "the file"
  throw new Error(`this is not a canary config of Kayenta: ${where} ${first?.message ?? "is not right"}`)
}

function parsed(body: string): unknown {
  try {
    return JSON.parse(body)
  } catch (error) {
    throw new Error(`this is not JSON: ${error instanceof Error ? error.message : String(error)}`)
  }
}

/** Kayenta writes what is absent as null. */
function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls)
  if (typeof value !== "object" || value === null) return value
  return Object.fromEntries(
    Object.entries(value).flatMap(([key, inner]) => (inner === null ? [] : [[key, withoutNulls(inner)]])),
  )
}
