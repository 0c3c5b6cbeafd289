import type { InstanceSpec } from "./effects.ts"

/** What one instance is told of its configuration: in this form, whichever way it comes to it. */
export type Told = {
  readonly app: string
  readonly region: string
  readonly release: string
  readonly version: number
  readonly values: Readonly<Record<string, string>>
}

/** Undefined where nothing was ever configured. A secret that is still sealed is no value. */
export function toldTo(app: string, { region, release, configuration }: InstanceSpec): Told | undefined {
  if (!configuration) return undefined
  const { version } = configuration
  const values = Object.entries(configuration.values).flatMap(([key, value]) =>
    "plain" in value ? [[key, value.plain] as const] : [],
  )
  return { app, region, release, version, values: Object.fromEntries(values) }
}
