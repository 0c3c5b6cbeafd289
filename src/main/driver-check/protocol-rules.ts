import assert from "node:assert/strict"
import { callDriver, type Driver, runDriver } from "../../providers/compute/driver-call.ts"
import { neededVerbs } from "../../providers/compute/driver-wire.ts"

/** What a driver promises about how it speaks, before anything runs. Throws when it does not. */
export type ProtocolRule = {
  readonly title: string
  readonly because: string
  readonly advice: string
  readonly keep: (driver: Driver) => Promise<void>
}

const soon = () => AbortSignal.timeout(60_000)

/** Whoever answers this way has done nothing, and says so. */
async function refuses(driver: Driver, verb: string, input: string): Promise<void> {
  const { code, out, stopped } = await runDriver(driver, verb, input, driver.patienceMs ?? 10_000, soon())
  assert.equal(stopped, undefined, `it was ended: ${stopped}`)
  assert.notEqual(code, 0, `it ended with exit code 0 and said ${JSON.stringify(out.slice(0, 200))}`)
}

export const protocolRules: readonly ProtocolRule[] = [
  {
    title: "says who it is, what it can, and what it sees",
    because: "what is never promised is not asked for, and what cannot be seen is not taken for well",
    advice: `answer \`capabilities\` with name, verbs (at least ${neededVerbs.join(", ")}), memory and differences`,
    async keep(driver) {
      const { verbs } = await callDriver(driver, "capabilities", {}, soon())
      const missing = neededVerbs.filter((verb) => !verbs.includes(verb))
      assert.deepEqual(missing, [], `it has no ${missing.join(", ")}`)
    },
  },
  {
    title: "a verb that it does not know is refused",
    because:
      "a later version of the protocol asks for more, and must be able to tell that this driver cannot",
    advice: 'end with another exit code than 0, best after {"version":1,"refused":"…"}',
    keep: (driver) => refuses(driver, "no-such-verb", '{"version":1}'),
  },
  {
    title: "a document of another version is refused",
    because: "what a later version means by a field may be something else",
    advice: "look at `version` first, and refuse everything but 1",
    keep: (driver) => refuses(driver, "list", '{"version":2}'),
  },
  {
    title: "a document that is cut off is refused",
    because: "whoever asked may have died in the middle of the question",
    advice: "read stdin to its end, and let a parser that fails end the program with an exit code",
    keep: (driver) => refuses(driver, "start", '{"version":1,"id":"papi-pr'),
  },
  {
    title: "what it says that is free and what there is fit together",
    because: "a rollout that begins without room ends half way",
    advice:
      "answer `capacity` with total and free of instances, memory (bytes) or cpus; leave out what is not known",
    async keep(driver) {
      const { verbs } = await callDriver(driver, "capabilities", {}, soon())
      if (!verbs.includes("capacity")) return
      const { instances, memory, cpus } = await callDriver(driver, "capacity", {}, soon())
      for (const [what, amount] of Object.entries({ instances, memory, cpus }))
        if (amount)
          assert.ok(amount.free <= amount.total, `${what}: ${amount.free} are free of ${amount.total}`)
    },
  },
]
