import { everyFault } from "./every-fault.ts"

const [index = "0", parts = "1", halts = "12"] = process.argv.slice(2)
let asked = false
const stop = (): void => {
  asked = true
}
process.once("SIGTERM", stop)
process.once("SIGINT", stop)

/** Simulated worlds need no turn of the event loop, and signals are heard in none other. */
const turn = setImmediate
const stopped = (): Promise<boolean> => new Promise((resolve) => turn(() => resolve(asked)))

console.log(JSON.stringify(await everyFault(Number(index), Number(parts), Number(halts), stopped)))
