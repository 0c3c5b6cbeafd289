import type { CommitId, RegionName, ReleaseId } from "./ids.ts"

/** A value of the configuration. A secret is sealed before it comes here and is opened only for an instance. */
export type ConfigValue = { readonly plain: string } | { readonly sealed: string }

type Values = Readonly<Record<string, ConfigValue>>

/** What an application is configured with: the same in every region, and what differs in some. */
export type Configuration = {
  /** Rises with each change, from 0 for none; never reused. */
  readonly version: number
  readonly common: Values
  readonly regions: Readonly<Record<RegionName, Values>>
}

/** One key that is set, or taken away when it has no value; in one region, or in all that have none of their own. */
export type ConfigChange = {
  readonly key: string
  readonly region: RegionName | undefined
  readonly value: ConfigValue | undefined
}

export const noConfiguration: Configuration = { version: 0, common: {}, regions: {} }

/** The next version. */
export function reconfigured(
  { version, common, regions }: Configuration,
  changes: readonly ConfigChange[],
): Configuration {
  const ofRegion = (name: RegionName) => changes.filter(({ region }) => region === name)
  const named = new Set([...Object.keys(regions), ...changes.flatMap(({ region }) => region ?? [])])
  return {
    version: version + 1,
    common: changedValues(
      common,
      changes.filter(({ region }) => region === undefined),
    ),
    regions: Object.fromEntries(
      [...named].map((name) => [name, changedValues(regions[name] ?? {}, ofRegion(name))]),
    ),
  }
}

function changedValues(values: Values, changes: readonly ConfigChange[]): Values {
  const all = new Map(Object.entries(values))
  for (const { key, value } of changes) {
    if (value === undefined) all.delete(key)
    else all.set(key, value)
  }
  return Object.fromEntries(all)
}

/** What the instances of a region get: its own values before the common ones. */
export const valuesIn = ({ common, regions }: Configuration, region: RegionName): Values => ({
  ...common,
  ...regions[region],
})

/** The changes that lead from one configuration to another. */
export function changesBetween(from: Configuration, to: Configuration): readonly ConfigChange[] {
  const named = new Set([...Object.keys(from.regions), ...Object.keys(to.regions)])
  return [
    ...differing(from.common, to.common, undefined),
    ...[...named].flatMap((region) =>
      differing(from.regions[region] ?? {}, to.regions[region] ?? {}, region),
    ),
  ]
}

function differing(from: Values, to: Values, region: RegionName | undefined): readonly ConfigChange[] {
  const keys = new Set([...Object.keys(from), ...Object.keys(to)])
  return [...keys].flatMap((key) => (same(from[key], to[key]) ? [] : [{ key, region, value: to[key] }]))
}

function same(a: ConfigValue | undefined, b: ConfigValue | undefined): boolean {
  if (a === undefined || b === undefined) return a === b
  if ("plain" in a) return "plain" in b && a.plain === b.plain
  return "sealed" in b && a.sealed === b.sealed
}

/** The release that a change of the configuration makes of what a commit was built into. */
export const configuredRelease = (commit: CommitId, version: number): ReleaseId => `${commit}.c${version}`

/** The commit that a release was built from. */
export const commitOf = (release: ReleaseId): CommitId => release.split(".")[0] ?? release
