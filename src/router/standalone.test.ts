import { spawn } from "node:child_process"
import { fileURLToPath } from "node:url"
import { afterEach, describe, expect, it } from "vitest"
import { Cleanup, fetchFrom, named, until } from "./router.fixture.ts"

const cleanup = new Cleanup()
afterEach(() => cleanup.run())

const program = fileURLToPath(new URL("../main.ts", import.meta.url))

function immunityRouter(...flags: readonly string[]) {
  const child = spawn(process.execPath, [program, "router", ...flags], {
    stdio: ["ignore", "ignore", "pipe"],
  })
  let output = ""
  child.stderr?.on("data", (chunk) => {
    output += chunk
  })
  cleanup.add(() => child.kill("SIGKILL"))
  const exit = new Promise<number | null>((resolve) => child.on("exit", resolve))
  const address = () =>
    until("the router", () => /^listening on (\S+)$/m.exec(output)?.[1] ?? died(child.exitCode, output))
  return { child, exit, address, output: () => output }
}

function died(code: number | null, output: string): undefined {
  if (code !== null) throw new Error(`the router ended with ${code}: ${output}`)
}

describe("the router by the command line alone", () => {
  it("splits requests by weight, counts them, and ends when it is asked to", async () => {
    const [one, two] = [await named(cleanup, "one"), await named(cleanup, "two")]
    const flags = ["--to", `${one.address}=3`, "--to", `${two.address}=1`, "--metrics", "127.0.0.1:0"]
    const router = immunityRouter("--listen", "127.0.0.1:0", ...flags)
    const address = await router.address()
    for (let n = 0; n < 40; n += 1) expect((await fetchFrom(address)).status).toBe(200)
    expect(one.seen.length).toBeGreaterThan(25)
    expect(two.seen.length).toBeGreaterThan(5)
    const metricsAt = /^metrics on (\S+)$/m.exec(router.output())?.[1] ?? ""
    const metrics = (await fetchFrom(metricsAt, { path: "/metrics" })).body
    expect(metrics).toContain(
      `immunity_router_requests_total{route="router/users",pool="to-0",instance="to-0"} ${one.seen.length}`,
    )
    router.child.kill("SIGTERM")
    expect(await router.exit).toBe(0)
  })

  it("names the flag that it cannot read, and ends", async () => {
    const router = immunityRouter("--listen", "127.0.0.1:0", "--to", "nowhere")
    expect(await router.exit).toBe(2)
    expect(router.output()).toContain("--to nowhere is not an address")
  })

  it("says when somebody else has its address, and ends", async () => {
    const busy = await named(cleanup, "busy")
    const router = immunityRouter("--listen", busy.address, "--to", busy.address)
    expect(await router.exit).toBe(2)
    expect(router.output()).toContain(`cannot listen at ${busy.address}`)
  })
})
