// Runs the tests and closes with one line that counts them: a skipped test is never a passed one.
import { spawnSync } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

const folder = mkdtempSync(join(tmpdir(), "immunity-test-"))
const report = join(folder, "report.json")
const run = spawnSync(
  process.execPath,
  [
    "node_modules/vitest/vitest.mjs",
    "run",
    "--reporter=default",
    "--reporter=json",
    `--outputFile.json=${report}`,
    ...process.argv.slice(2),
  ],
  { stdio: "inherit" },
)
const { numPassedTests, numFailedTests, numPendingTests, numTodoTests } = JSON.parse(
  readFileSync(report, "utf8"),
)
rmSync(folder, { recursive: true, force: true })
// What fails before or after the tests of a file is no test, and fails all the same.
const failed = numFailedTests || (run.status === 0 ? 0 : 1)
console.log(`${numPassedTests} passed, ${failed} failed, ${numPendingTests + numTodoTests} skipped`)
process.exit(run.status === 0 && numPassedTests > 0 ? 0 : 1)
