import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { describe } from "vitest"
import { routerContract } from "../../../testing/router-contract.ts"
import { until } from "../../../testing/router-world.ts"
import { Haproxy } from "./haproxy.ts"
import { findHaproxy } from "./program.ts"

const kill = (pid: number | undefined) => {
  if (pid === undefined) throw new Error("HAProxy has no process")
  process.kill(pid, "SIGKILL")
}

describe.skipIf(findHaproxy() === undefined)("a real HAProxy", () => {
  routerContract("haproxy", async () => {
    const dir = await mkdtemp(join(tmpdir(), "haproxy-"))
    let router = await Haproxy.open({ dir })
    return {
      router: router,
      async crash() {
        const { pid } = await router.state()
        kill(pid)
        await until("HAProxy to be back", () =>
          router.state().then(
            (state) => state.pid !== pid,
            () => false,
          ),
        )
      },
      async reconnect() {
        await router.close()
        router = await Haproxy.open({ dir })
        return router
      },
      async close() {
        await router.close()
        kill((await router.state()).pid)
        await rm(dir, { recursive: true, force: true })
      },
    }
  })
})
