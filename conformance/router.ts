// The checklist of a router, asked of ours, HAProxy and nginx. The last line of stdout is one JSON object.
import { parseArgs } from "node:util"
import { items, ofMessages } from "./items.ts"
import type { Item, Product } from "./product.ts"
import { careless } from "./products/careless.ts"
import { embedded } from "./products/embedded.ts"
import { haproxy } from "./products/haproxy.ts"
import { nginx } from "./products/nginx.ts"
import { type Result, runItems } from "./run.ts"

const { values } = parseArgs({
  options: {
    json: { type: "boolean", default: false },
    /** Names of products, separated by commas. */
    only: { type: "string" },
    /** Numbers of items, separated by commas. */
    items: { type: "string" },
    /** Asks two routers that do everything wrong instead: each item about messages must fail at least once. */
    careless: { type: "boolean", default: false },
  },
})

const tell = (line: string): void => void process.stderr.write(`${line}\n`)
const wanted = values.items?.split(",")

async function askAll(
  products: readonly Product[],
  all: readonly Item[],
): Promise<Readonly<Record<string, Result>>> {
  const named = values.only?.split(",")
  const asked = all.filter((item) => wanted === undefined || wanted.includes(item.id))
  const results: Record<string, Result> = {}
  for (const product of products) {
    if (named !== undefined && !named.includes(product.name)) continue
    const missing = await product.missing()
    if (missing !== undefined) {
      tell(`${product.name} WAS NOT ASKED: ${missing}. Run scripts/setup.sh routers as root.`)
      results[product.name] = { passed: 0, of: 0, failures: [], notApplicable: [], missing }
      continue
    }
    const result = await runItems(product, asked, tell)
    results[product.name] = result
    tell(`${product.name}: ${result.passed} of ${result.of}, ${result.notApplicable.length} not applicable`)
  }
  return results
}

const results = values.careless
  ? await askAll(careless, ofMessages)
  : await askAll([embedded, haproxy, nginx], items)
if (values.careless) {
  const failed = new Set(Object.values(results).flatMap(({ failures }) => failures.map(({ id }) => id)))
  const kept = ofMessages.filter(({ id }) => !failed.has(id) && (wanted?.includes(id) ?? true))
  for (const { id, title } of kept) tell(`${id} was kept by routers that keep nothing: ${title}`)
  if (kept.length > 0) process.exitCode = 1
}
if (values.json) console.log(JSON.stringify(results))
else
  for (const [name, { passed, of, failures, missing }] of Object.entries(results))
    console.log(
      missing === undefined
        ? `${name}: ${passed} of ${of}; failed: ${failures.map((one) => one.id).join(", ") || "none"}`
        : `${name}: not asked, ${missing}`,
    )
