import type { ConfigChange, Configuration } from "../model/configuration.ts"
import { changesBetween, noConfiguration, reconfigured } from "../model/configuration.ts"
import type { Application } from "./application.ts"
import { type Draft, type Refusal, refuse } from "./draft.ts"
import { newestRelease } from "./newest-release.ts"

/** As programs can take them: letters, digits, `_`, `.` and `-`. */
const keyPattern = /^[A-Za-z_][A-Za-z0-9_.-]{0,99}$/
const longestValue = 32_768
const mostKeys = 1_000

/** A changed configuration is a release of its own, and climbs the regions like one that was built. */
export function configure(
  draft: Draft,
  changes: readonly ConfigChange[],
  reason: string,
): Refusal | undefined {
  const wrong = changes.map((change) => problemOf(draft.state, change)).find((found) => found !== undefined)
  if (wrong) return wrong
  const now = draft.state.configuration
  const next = reconfigured(now, changes)
  const real = changesBetween(now, next)
  if (real.length === 0) return refuse("wrong-phase", "the configuration says that already; nothing changes")
  if (keysIn(next) > mostKeys) {
    return refuse(
      "bad-request",
      `a configuration holds at most ${mostKeys} keys; put large data into a store`,
    )
  }
  // What is blocked must not come back under another name.
  const base = newestRelease(draft.state, ({ id }) => !draft.state.quarantine[id])
  draft.add(
    {
      type: "configuration-changed",
      version: next.version,
      changes: real,
      release: base && { of: base.id, order: draft.state.nextRelease },
    },
    reason,
  )
  return undefined
}

/** Goes back by going on: history is never rewritten, and the way up is the same. */
export function restoreConfiguration(draft: Draft, version: number, reason: string): Refusal | undefined {
  const { configuration } = draft.state
  const wanted = known(draft.state).find((old) => old.version === version)
  if (!wanted) return refuse("unknown", `no release with configuration ${version} is known any more`)
  return configure(draft, changesBetween(configuration, wanted), reason)
}

const known = (app: Application): readonly Configuration[] => [
  noConfiguration,
  ...Object.values(app.releases).map(({ configuration }) => configuration),
]

function problemOf(app: Application, { key, region, value }: ConfigChange): Refusal | undefined {
  if (!keyPattern.test(key)) {
    return refuse(
      "bad-request",
      `"${key.slice(0, 100)}" is no key: a letter or _, then letters, digits, _, . and -, at most 100`,
    )
  }
  if (region !== undefined && app.regions.length > 0 && !app.regions.some(({ name }) => name === region)) {
    const has = app.regions.map(({ name }) => name).join(", ")
    return refuse("unknown", `${app.app} has no region ${region}; it has ${has}`)
  }
  if (value !== undefined && lengthOf(value) > longestValue) {
    return refuse("bad-request", `the value of ${key} is longer than ${longestValue} characters`)
  }
  const { common, regions } = app.configuration
  const values = region === undefined ? common : (regions[region] ?? {})
  if (value === undefined && values[key] === undefined) {
    return refuse("unknown", `${key} is not set${region === undefined ? "" : ` in ${region}`}`)
  }
  return undefined
}

const lengthOf = (value: NonNullable<ConfigChange["value"]>): number =>
  "plain" in value ? value.plain.length : value.sealed.length

const keysIn = ({ common, regions }: Configuration): number =>
  [common, ...Object.values(regions)].reduce((sum, values) => sum + Object.keys(values).length, 0)
