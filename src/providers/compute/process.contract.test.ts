import { chmodSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { artifactFolder, discard } from "../../agent/artifacts.ts"
import { computeContract } from "../../testing/compute-contract.ts"
import { contractServer } from "../../testing/compute-world.ts"
import { systemClock } from "../clock/system.ts"
import { processCompute } from "./process.ts"

computeContract("plain processes", async () => {
  const dir = mkdtempSync(join(tmpdir(), "immunity-compute-"))
  chmodSync(dir, 0o711)
  const tree = join(dir, "tree")
  mkdirSync(tree)
  writeFileSync(join(tree, "server.js"), contractServer)
  writeFileSync(join(tree, "papi.json"), '{"flaw":"none"}')
  const artifacts = artifactFolder(join(dir, "artifacts"))
  const { digest } = await artifacts.add(tree)
  const path = `${dirname(process.execPath)}:/usr/bin:/bin`
  const open = () => processCompute({ dir: join(dir, "agent"), artifacts, clock: systemClock, path })
  const home = (id: string) => join(dir, "agent", "run", id)
  return {
    compute: open(),
    digest,
    reopen: open,
    kill: async (id) => {
      const { pid } = JSON.parse(readFileSync(join(home(id), "instance.json"), "utf8"))
      process.kill(-pid, "SIGKILL")
    },
    edit: async (id, file, text) => {
      chmodSync(join(home(id), "app", file), 0o644)
      writeFileSync(join(home(id), "app", file), text)
    },
    log: (id) => readFileSync(join(dir, "agent", "logs", `${id}.log`), "utf8"),
    close: () => discard(dir),
  }
})
