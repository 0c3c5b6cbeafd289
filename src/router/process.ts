/** The router as a program of its own: `node process.js --dir DIR`. */
import { runRouter } from "./main.ts"

const at = process.argv.indexOf("--dir")
const dir = at === -1 ? undefined : process.argv[at + 1]
if (dir === undefined || dir === "") {
  process.stderr.write("router: where does it keep its state? Give it --dir DIR\n")
  process.exitCode = 2
} else {
  runRouter({ dir }).catch((error: unknown) => {
    process.stderr.write(`router: ${error instanceof Error ? error.message : String(error)}\n`)
    process.exitCode = 1
  })
}
