// The checklist of a router, asked of ours, HAProxy and nginx. The last line of stdout is one JSON object.
import { parseArgs } from "node:util"
import { items } from "./items.ts"
import type { Product } from "./product.ts"
import { embedded } from "./products/embedded.ts"
import { haproxy } from "./products/haproxy.ts"
import { nginx } from "./products/nginx.ts"
import { type Result, runItems } from "./run.ts"

const products: readonly Product[] = [embedded, haproxy, nginx]

const { values } = parseArgs({
  options: {
    json: { type: "boolean", default: false },
    /** Names of products, separated by commas. */
    only: { type: "string" },
    /** Numbers of items, separated by commas. */
    items: { type: "string" },
  },
})

const tell = (line: string): void => void process.stderr.write(`${line}\n`)
const named = values.only?.split(",")
const wanted = values.items?.split(",")
const asked = items.filter((item) => wanted === undefined || wanted.includes(item.id))
const results: Record<string, Result | { readonly missing: string }> = {}
for (const product of products) {
  if (named !== undefined && !named.includes(product.name)) continue
  const missing = await product.missing()
  if (missing !== undefined) {
    tell(
      `${product.name} WAS NOT ASKED: ${missing}. Run scripts/setup.sh tests as root, or install it by hand.`,
    )
    results[product.name] = { missing }
    continue
  }
  const result = await runItems(product, asked, tell)
  results[product.name] = result
  tell(`${product.name}: ${result.passed} of ${result.of}, ${result.notApplicable.length} not applicable`)
}
if (values.json) console.log(JSON.stringify(results))
else
  for (const [name, result] of Object.entries(results))
    console.log(
      "missing" in result
        ? `${name}: not asked, ${result.missing}`
        : `${name}: ${result.passed} of ${result.of}; failed: ${result.failures.map((one) => one.id).join(", ") || "none"}`,
    )
