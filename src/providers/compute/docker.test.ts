import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { afterAll, describe } from "vitest"
import { type RealEngine, realEngine } from "../../../test/support/engine.ts"
import { computeContract } from "../../testing/compute-contract.ts"
import { objectionTo } from "../builder/index.ts"
import { systemClock } from "../clock/system.ts"
import { dockerCompute } from "./docker.ts"

const engine = await realEngine()
afterAll(() => engine?.close())

describe.skipIf(!engine)("with a real engine", () => {
  if (!engine) return
  computeContract("containers", async () => {
    const dir = engine.folder()
    const open = () => computeOn(engine, dir)
    return {
      compute: open(),
      digest: engine.digest,
      reopen: open,
      kill: async (id) => {
        const { State: state } = await inspect(engine, id)
        process.kill(state.Pid, "SIGKILL")
      },
      edit: async (id, file, text) => {
        const { GraphDriver: driver } = await inspect(engine, id)
        writeFileSync(join(driver.Data.MergedDir, "app", file), text)
      },
      log: (id) => readFileSync(join(dir, "logs", `${id}.log`), "utf8"),
      close: async () => undefined,
    }
  })
})

const computeOn = ({ containers, key, images }: RealEngine, dir: string) =>
  dockerCompute({ dir, containers, key, clock: systemClock, objection: objectionTo(images, containers) })

const inspect = async (real: RealEngine, id: string) =>
  (await real.ask("GET", `/containers/immunity-${real.key}-${id}/json`)) as {
    readonly State: { readonly Pid: number }
    readonly GraphDriver: { readonly Data: { readonly MergedDir: string } }
  }
