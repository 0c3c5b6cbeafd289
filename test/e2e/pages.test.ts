import { existsSync, mkdirSync, readFileSync } from "node:fs"
import { createRequire } from "node:module"
import { type Browser, chromium, type Page } from "playwright-core"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { Cluster } from "../support/cluster.ts"
import { minutes } from "../support/until.ts"

const executablePath = "/usr/bin/chromium"
const installed = existsSync(executablePath)
if (!installed)
  console.error(
    `SKIPPED: ${executablePath} is not installed; the pages were not looked at. Install Debian's package chromium.`,
  )

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8")

const pipeline = ([sandbox, production]: readonly number[]): string => `version: 1
app: papi
start: node server.js
test: node test.js
run: { health: { path: /healthz, every: 200ms, healthy: 1 }, drain: 1s }
regions:
  - { name: sandbox, listen: ${sandbox} }
  - { name: production, listen: ${production}, gate: button, bake: 0s }
metrics: http
`

describe.skipIf(!installed)("the pages in a real browser", () => {
  let cluster: Cluster
  let browser: Browser

  beforeAll(async () => {
    cluster = await Cluster.open(2, pipeline)
    cluster.serve()
    await cluster.until(
      "the server",
      () => cluster.ask("POST", "/v1/apps", { url: cluster.repository, app: "papi" }),
      minutes,
    )
    cluster.commit("first <b>version</b>", "none")
    await cluster.until(
      "the gate",
      async () => (await cluster.app()).rollouts.find((rollout) => rollout.asks),
      minutes,
    )
    browser = await chromium.launch({
      executablePath,
      args: [
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
      ],
    })
  }, 3 * minutes)

  afterAll(async () => {
    await browser?.close()
    expect(await cluster?.close()).toEqual([])
  })

  const token = () => readFileSync(`${cluster.dir}/server/token`, "utf8").trim()

  it(
    "say the answer first, fit 1280 and 390 px, and pass axe, light and dark",
    async () => {
      mkdirSync("test-results", { recursive: true })
      const number = (await cluster.app()).rollouts.find((rollout) => rollout.asks)?.number
      for (const [width, height] of [
        [1280, 720],
        [390, 844],
      ] as const) {
        for (const colorScheme of ["light", "dark"] as const) {
          const page = await browser.newPage({ viewport: { width, height }, colorScheme, bypassCSP: true })
          for (const [name, path] of Object.entries({
            apps: "/",
            app: "/a/papi",
            rollout: `/a/papi/r/${number}`,
            timeline: "/a/papi/timeline",
            servers: "/a/papi/servers",
            login: "/login",
            problem: "/a/nobody",
          })) {
            await page.goto(cluster.url + path)
            expect(await page.locator("h1").first().innerText()).not.toBe("")
            expect(
              await page.evaluate("document.documentElement.scrollWidth <= innerWidth"),
              `${name} at ${width} px scrolls sideways`,
            ).toBe(true)
            expect(await violations(page), `${name} at ${width} px, ${colorScheme}`).toEqual([])
            await page.screenshot({
              path: `test-results/${name}-${width}-${colorScheme}.png`,
              fullPage: true,
            })
          }
          await page.close()
        }
      }
    },
    4 * minutes,
  )

  it("explain every refusal at the address that it names", async () => {
    const refused = await fetch(`${cluster.url}/v1/apps/papi/pause`, { method: "POST" })
    const { type } = (await refused.json()) as { readonly type: string }
    const page = await browser.newPage()
    await page.goto(new URL(type, refused.url).href)
    const place = page.locator(`id=${new URL(page.url()).hash.slice(1)}`)
    expect(await place.textContent()).toContain("Whoever changes anything must show a token")
    await page.close()
  })

  it("say in a page what is not there, and to programs in a document", async () => {
    const asked = (accept: string, path: string) => fetch(cluster.url + path, { headers: { accept } })
    const page = await asked("text/html,*/*", "/a/nobody")
    expect([page.status, page.headers.get("content-type")]).toEqual([404, "text/html; charset=utf-8"])
    expect(await page.text()).toMatch(
      /<h1>There is no application nobody; add it with: immunity app add URL</,
    )
    for (const [accept, path] of [
      ["application/json", "/a/nobody"],
      ["text/html", "/v1/apps/nobody"],
    ] as const)
      expect(await (await asked(accept, path)).json()).toMatchObject({ status: 404, code: "unknown-app" })
  })

  it("show what a commit says as text, never as markup", async () => {
    const page = await browser.newPage()
    await page.goto(`${cluster.url}/a/papi`)
    expect(await page.getByText("first <b>version</b>").count()).toBeGreaterThan(0)
    await page.close()
  })

  it(
    "let nobody act without signing in, and open the gate without any JavaScript",
    async () => {
      const context = await browser.newContext({ javaScriptEnabled: false })
      const page = await context.newPage()
      const rollout = (await cluster.app()).rollouts.find((known) => known.asks)
      const path = `${cluster.url}/a/papi/r/${rollout?.number}`
      await page.goto(path)
      await approve(page)
      expect(await page.locator("h1").innerText()).toMatch(/^A token is needed to change anything/)
      await page.goto(`${cluster.url}/login`)
      await page.getByLabel("Token").fill(token())
      await page.getByRole("button", { name: "Sign in" }).click()
      await page.goto(path)
      await approve(page)
      await cluster.until(
        "production",
        async () =>
          (await cluster.app()).regions.find((region) => region.name === "production" && region.serving),
        minutes,
      )
      await context.close()
    },
    2 * minutes,
  )

  it(
    "follow what happens by themselves",
    async () => {
      const page = await browser.newPage()
      await page.goto(`${cluster.url}/a/papi`)
      await page.getByText("Live", { exact: false }).first().waitFor()
      await cluster.ask("POST", "/v1/apps/papi/locks", { reason: "a look at something" })
      await page.getByText("a look at something").first().waitFor({ timeout: 20_000 })
      await page.close()
    },
    minutes,
  )
})

async function approve(page: Page): Promise<void> {
  await page.locator("summary", { hasText: "Approve" }).click()
  await page.locator("details[open] input[name=reason]").fill("it looks good")
  await page.locator("details[open] button").click()
}

async function violations(page: Page): Promise<readonly string[]> {
  await page.evaluate(axe)
  const found = (await page.evaluate(
    "axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] })",
  )) as {
    readonly violations: readonly {
      readonly id: string
      readonly nodes: readonly { readonly html: string }[]
    }[]
  }
  return found.violations.map(({ id, nodes }) => `${id}: ${nodes[0]?.html}`)
}
