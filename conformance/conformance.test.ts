import { expect, it } from "vitest"
import { items, ofMessages } from "./items.ts"
import { careless } from "./products/careless.ts"
import { embedded } from "./products/embedded.ts"
import { runItems } from "./run.ts"

/** They wait for timeouts or start several routers; the command asks them too. */
const long = new Set(["28", "46", "48", "49", "50", "51", "52", "53", "55", "56", "58", "59", "60", "61"])

it("asks the 62 items of the checklist, each once", () => {
  const ids = items.map((item) => item.id)
  expect(ids).toEqual(Array.from({ length: 62 }, (_, at) => String(at + 1).padStart(2, "0")))
})

it("keeps what the short items of the checklist ask of our own router", { timeout: 120_000 }, async () => {
  const short = items.filter((item) => !long.has(item.id))
  const { failures, passed } = await runItems(embedded, short, () => {}, 20)
  expect(failures).toEqual([])
  expect(passed).toBe(62 - long.size)
})

it("has items that fail for routers that do everything wrong", { timeout: 120_000 }, async () => {
  // Those that fail at once; `--careless` asks all that concern messages.
  const quick = [
    "02",
    "03",
    "06",
    "07",
    "08",
    "11",
    "13",
    "14",
    "16",
    "20",
    "21",
    "23",
    "24",
    "25",
    "26",
    "27",
    "32",
  ]
  const asked = ofMessages.filter((item) => quick.includes(item.id))
  const failed = new Set<string>()
  for (const product of careless)
    for (const { id } of (await runItems(product, asked, () => {})).failures) failed.add(id)
  expect([...failed].sort()).toEqual(quick)
})
