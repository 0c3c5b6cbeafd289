import { readFileSync } from "node:fs"
import type { ComponentType } from "preact"
import { renderToString } from "preact-render-to-string"
import { App } from "./pages/app.tsx"
import { Apps } from "./pages/apps.tsx"
import { EvidencePage, Login, ProblemPage, ProblemsPage, Servers, TimelinePage } from "./pages/others.tsx"
import { RolloutPage } from "./pages/rollout.tsx"

// Each page takes the view that the API's route of the same name gives; the routes and this table meet in main.
const table = {
  apps: Apps,
  app: App,
  rollout: RolloutPage,
  timeline: TimelinePage,
  servers: Servers,
  evidence: EvidencePage,
  login: Login,
  problem: ProblemPage,
  problems: ProblemsPage,
} as unknown as Readonly<Record<string, ComponentType<object>>>

const assets: Readonly<Record<string, { readonly type: string; readonly path: string }>> = {
  "style.css": { type: "text/css; charset=utf-8", path: "style.css" },
  "live.js": { type: "text/javascript; charset=utf-8", path: "live/live.js" },
}

/** The UI: complete pages without JavaScript; one small script keeps them live. */
export const pages = {
  render(page: string, data: unknown): string {
    const Page = table[page]
    if (!Page) throw new Error(`there is no page ${page}`)
    return `<!doctype html>${renderToString(<Page {...(data as object)} />)}`
  },
  asset(name: string): { readonly type: string; readonly body: string } | undefined {
    const asset = assets[name]
    if (!asset) return undefined
    return { type: asset.type, body: readFileSync(new URL(asset.path, import.meta.url), "utf8") }
  },
}
