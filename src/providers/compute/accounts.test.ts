import { spawn } from "node:child_process"
import { once } from "node:events"
import { expect, it } from "vitest"
import { instanceAccounts } from "./accounts.ts"

const accounts = instanceAccounts("/tmp")

it.skipIf(!accounts)(
  "an instance gets a user whom nobody runs as, also not an instance of another agent",
  async () => {
    if (!accounts) throw new Error("skipped")
    const [mine, theirs] = [accounts.free(new Set()), accounts.free(new Set())]
    const [file = "", ...args] = accounts.become(theirs)
    const other = spawn(file, [...args, "sleep", "60"], { stdio: "ignore" })
    try {
      await expect.poll(() => given(accounts.free), { timeout: 30_000 }).not.toContain(theirs)
      expect(given(accounts.free)).toContain(mine)
    } finally {
      other.kill("SIGKILL")
      await once(other, "exit")
    }
  },
)

/** Once around: everybody who may be had. */
const given = (free: (taken: ReadonlySet<number>) => number): readonly number[] =>
  Array.from({ length: 500 }, () => free(new Set()))
