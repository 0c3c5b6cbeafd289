import { canonicalJson } from "../../src/core/model/canonical-json.ts"
import type { Application } from "../../src/core/pipeline/application.ts"
import type { RouteSpec } from "../../src/core/pipeline/effects.ts"
import { chainHash, chainStart } from "../../src/store/chain.ts"
import { CoreWorld, papiPolicy } from "../../src/testing/core-world.ts"

/** What one application at rest has behind it, made by the core itself; all others are the same under other names. */
export type Template = {
  readonly events: readonly Line[]
  readonly instances: readonly { readonly id: string; readonly address: string }[]
  readonly routes: readonly RouteSpec[]
}
type Line = {
  readonly at: number
  readonly by: string
  readonly because: string
  readonly kind: string
  readonly body: string
}

export type Row = Line & {
  readonly stream: string
  readonly version: number
  readonly prev_hash: string
  readonly hash: string
}

export const original = "papi"

export const nameOf = (number: number): string => `app-${String(number).padStart(5, "0")}`

/** The same text for another application. */
export const renamed = (text: string, app: string): string => text.replaceAll(original, app)

/** Four regions, and `releases` of them all the way through each; at rest at the end. */
export function template(url: string, commits: readonly string[]): Template {
  const world = new CoreWorld(original)
  world.now = Date.now() - 30 * 86_400_000
  world.give({ type: "add-app", source: { url, branch: "main" } })
  for (const commit of commits) {
    world.push(commit, papiPolicy())
    world.allTheWay()
    world.now += 86_400_000
  }
  return {
    events: world.events.map(({ at, by, because, event }) => ({
      at,
      by,
      because,
      kind: event.type,
      body: canonicalJson(event),
    })),
    instances: instancesOf(world.state),
    routes: world.wants().flatMap((effect) => (effect.kind === "set-routes" ? effect.routes : [])),
  }
}

const instancesOf = (state: Application): Template["instances"] =>
  state.regions.flatMap((region) =>
    Object.values(region.instances).map(({ id, address = "" }) => ({ id, address })),
  )

/** The rows of one application's stream, with the chain that the store checks. */
export function rowsOf({ events }: Template, app: string): readonly Row[] {
  let previous = chainStart
  return events.map((line, i) => {
    const link = {
      stream: app,
      version: i + 1,
      at: line.at,
      by: line.by,
      because: renamed(line.because, app),
      body: renamed(line.body, app),
    }
    const hash = chainHash(link, previous)
    const row = { ...link, kind: line.kind, prev_hash: previous, hash }
    previous = hash
    return row
  })
}
