import type { ConfigValue } from "../../core/model/configuration.ts"
import type { Application } from "../../core/pipeline/application.ts"
import type { ConfigurationView } from "../contract/views.ts"

/** What an application is configured with; of a secret only that there is one. */
export function configurationView(app: Application): ConfigurationView {
  const { version, common, regions } = app.configuration
  const listed = (values: Readonly<Record<string, ConfigValue>>, region: string | undefined) =>
    Object.entries(values)
      .sort(([a], [b]) => a.localeCompare(b))
      .map(([key, value]) => ({ key, region, value: "plain" in value ? value.plain : undefined }))
  return {
    version,
    values: [
      ...listed(common, undefined),
      ...Object.entries(regions).flatMap(([region, values]) => listed(values, region)),
    ],
    regions: app.regions.map(({ name, stable }) => ({
      region: name,
      version: stable === undefined ? undefined : servedWith(app, stable),
    })),
  }
}

function servedWith(app: Application, pool: number): number | undefined {
  const release = app.rollouts[pool]?.release
  return release === undefined ? undefined : app.releases[release]?.configuration.version
}
