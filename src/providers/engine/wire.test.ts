import { mkdtempSync, rmSync } from "node:fs"
import { createServer } from "node:http"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, expect, it } from "vitest"
import { ask } from "./wire.ts"

const dir = mkdtempSync(join(tmpdir(), "immunity-wire-"))
afterAll(() => rmSync(dir, { recursive: true, force: true }))

it("an answer that is given up in its midst says which, and why", async () => {
  const socket = join(dir, "engine.sock")
  const engine = createServer((_, response) => response.write('{"begun":'))
  await new Promise<void>((resolve) => engine.listen(socket, resolve))
  const asked = ask(socket, { method: "GET", path: "/version", signal: AbortSignal.timeout(500) })
  await expect(asked).rejects.toThrow(
    "the engine's answer to GET /version was given up: TimeoutError: The operation was aborted due to timeout",
  )
  engine.closeAllConnections()
  engine.close()
})
