import { everyFault } from "./every-fault.ts"

const [index = "0", parts = "1", halts = "12"] = process.argv.slice(2)
console.log(JSON.stringify(await everyFault(Number(index), Number(parts), Number(halts))))
