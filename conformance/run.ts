import { plainTimeouts } from "./items/plain.ts"
import type { Item, Product, Site, Stage } from "./product.ts"
import { Backend } from "./stage/backend.ts"
import { Visitor } from "./stage/load.ts"
import { Broken, Cleanup } from "./stage/waiting.ts"

export type Failure = { readonly id: string; readonly title: string; readonly because: string }

export type Result = {
  readonly passed: number
  /** Items that were asked. */
  readonly of: number
  readonly failures: readonly Failure[]
  /** Items that the product has nothing for; counted neither as passed nor as asked. */
  readonly notApplicable: readonly Failure[]
  /** Why the product was not asked at all. */
  readonly missing?: string
}

const mostTime = 90_000

/** Asks a product all items, one after the other: they measure time. */
export async function runItems(
  product: Product,
  items: readonly Item[],
  tell: (line: string) => void,
  patience = 1,
): Promise<Result> {
  const whole = new Cleanup()
  const plain = sharedPlain(product, whole)
  const failures: Failure[] = []
  const notApplicable: Failure[] = []
  let passed = 0
  try {
    for (const item of items) {
      const { id, title } = item
      const lacks = product.lacks[id]
      if (lacks !== undefined) {
        notApplicable.push({ id, title, because: lacks })
        tell(`${product.name} ${id} n/a     ${title}: ${lacks}`)
        continue
      }
      const before = performance.now()
      const because = await ask(item, product, plain, patience)
      const ms = Math.round(performance.now() - before)
      if (because === undefined) passed += 1
      else failures.push({ id, title, because })
      tell(
        `${product.name} ${id} ${because === undefined ? "ok    " : "FAILED"} ${title} (${ms} ms)${because === undefined ? "" : `: ${because}`}`,
      )
    }
  } finally {
    await whole.run()
  }
  return { passed, of: passed + failures.length, failures, notApplicable }
}

/** Why an item failed; undefined: it passed. */
async function ask(
  item: Item,
  product: Product,
  plain: Stage["plain"],
  patience: number,
): Promise<string | undefined> {
  const cleanup = new Cleanup()
  let mine: ReturnType<Stage["plain"]> | undefined
  const emptied = async () => {
    const shared = await plain()
    shared.backend.reset()
    // What the item before left on its way arrives before the answer to this, and is forgotten with it.
    await new Visitor(shared.site, cleanup).get("/between")
    shared.backend.reset()
    return shared
  }
  const stage: Stage = {
    product,
    cleanup,
    patience,
    open: (setup) => product.open(setup, cleanup),
    plain: () => {
      mine ??= emptied()
      return mine
    },
  }
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Broken(`not done after ${mostTime / 1_000} s`)), mostTime)
  })
  try {
    await Promise.race([item.check(stage), late])
    return undefined
  } catch (error) {
    if (error instanceof Broken) return error.message
    return error instanceof Error ? `${error.name}: ${error.message}` : String(error)
  } finally {
    clearTimeout(timer)
    await cleanup.run()
  }
}

/** One site and one backend for all items that need nothing else. */
function sharedPlain(product: Product, cleanup: Cleanup): Stage["plain"] {
  let opened: Promise<{ site: Site; backend: Backend }> | undefined
  const open = async () => {
    const backend = await Backend.open(cleanup)
    const pools = [{ name: "plain", weight: 100, instances: [{ id: "plain-0", address: backend.address }] }]
    return { site: await product.open({ pools, ...plainTimeouts, alone: true }, cleanup), backend }
  }
  return async () => {
    opened ??= open()
    return opened
  }
}
