import assert from "node:assert/strict"
import type { Digest } from "../core/model/ids.ts"
import type { ComputeWorld } from "./compute-world.ts"

/**
 * One promise of a compute driver. It needs no test framework: whoever wrote a driver can ask an installed product
 * whether it keeps them. Throws when it does not.
 */
export type ComputeRule = {
  readonly family: "start" | "stop" | "end" | "survival" | "drift" | "refusal" | "forget"
  readonly title: string
  /** What goes wrong in a rollout when it is not kept. */
  readonly because: string
  /** What to do about it. */
  readonly advice: string
  /** What the driver would have to offer for it to be asked; undefined when it can be. */
  readonly cannot?: (world: ComputeWorld) => string | undefined
  readonly keep: (world: ComputeWorld) => Promise<void>
}

/** What every compute driver promises, whatever an instance is made of. */
export const computeRules: readonly ComputeRule[] = [
  {
    family: "start",
    title:
      "starts it with its port and its names, where it can be reached, with nothing of the agent's environment",
    because:
      "an instance that nobody reaches never becomes ready, and what leaks from the agent leaks to everybody",
    advice:
      "give the instance exactly the environment of the order, plus HOST, PORT and what its machine needs; list its address as host:port",
    async keep(world) {
      process.env.IMMUNITY_SECRET_OF_THE_AGENT = "do not tell"
      try {
        await world.start("papi-prod-1", { GREETING: "hello" })
        const { env } = JSON.parse(await world.ask("papi-prod-1", "/who"))
        assert.deepEqual(
          [env.GREETING, env.IMMUNITY_INSTANCE, env.IMMUNITY_REGION, env.IMMUNITY_RELEASE],
          ["hello", "papi-prod-1", "prod", "c".repeat(40)],
        )
        assert.ok(
          !("IMMUNITY_SECRET_OF_THE_AGENT" in env),
          "a variable of the agent reached the instance, and no order named it",
        )
      } finally {
        delete process.env.IMMUNITY_SECRET_OF_THE_AGENT
      }
      const { address, differences, memory, state } = await world.look("papi-prod-1")
      assert.deepEqual([state, differences], ["running", []])
      assert.match(String(address), world.under.reach ?? /^127\.0\.0\.1:\d+$/)
      if (world.under.blindTo?.memory) return
      assert.ok(
        (memory ?? 0) > 1024 ** 2,
        `its memory is told as ${memory} bytes, and no program runs in that`,
      )
    },
  },
  {
    family: "start",
    title: "what an environment holds reaches the instance as it is: nothing in it is run, split or unquoted",
    because: "a value with a quote or a dollar sign in it would change what runs, or run what somebody wrote",
    advice:
      "hand the environment over as data (execve, an API's own field); never paste it into a shell's line",
    async keep(world) {
      const hostile = ` $(exit 9) \`id\` "'\\ ;&|<>\nsecond line\tä%s*`
      await world.start("papi-prod-1", { HOSTILE: hostile })
      const { env } = JSON.parse(await world.ask("papi-prod-1", "/who"))
      assert.equal(env.HOSTILE, hostile)
    },
  },
  {
    family: "start",
    title: "started twice is one instance",
    because: "an order whose answer was lost is given again, and a pool must not grow by that",
    advice: "look for the id first; when it is there, answer as if it had been started now",
    async keep(world) {
      await world.start("papi-prod-1")
      const before = (await world.look("papi-prod-1")).startedAt
      await world.start("papi-prod-1")
      assert.deepEqual(await world.ids(), ["papi-prod-1"])
      assert.equal((await world.look("papi-prod-1")).startedAt, before)
    },
  },
  {
    family: "start",
    title: "several started at the same moment are several, each at its own address",
    because: "a pool is started all at once; two instances at one address are one that nobody counted",
    advice: "choose ports and names under a lock, or let the platform choose them",
    async keep(world) {
      const all = ["papi-prod-1", "papi-prod-2", "papi-prod-3"]
      await Promise.all(all.map((id) => world.start(id)))
      await Promise.all(all.map((id) => world.ask(id, "/")))
      assert.deepEqual([...(await world.ids())].sort(), all)
      const addresses = await Promise.all(all.map(async (id) => (await world.look(id)).address))
      assert.equal(new Set(addresses).size, all.length, `they share an address: ${addresses.join(", ")}`)
    },
  },
  {
    family: "stop",
    title: "a stop asks first, and what was said on the way out is in the log",
    because:
      "an instance that is not asked drops what it was doing, and its last words are what explains an end",
    advice: "send SIGTERM (or the platform's own request) and wait; keep its output until it is forgotten",
    async keep(world) {
      await world.start("papi-prod-1")
      await world.ask("papi-prod-1", "/")
      await world.stop("papi-prod-1", 20_000)
      assert.equal((await world.look("papi-prod-1")).state, "ended")
      await world.until("its last words in the log", async () => {
        await world.ids()
        return world.under.log("papi-prod-1").includes("leaving")
      })
    },
  },
  {
    family: "stop",
    title: "who does not listen is ended after the grace",
    because: "an instance that ignores its end would hold its place, its memory and the rollout for ever",
    advice: "when the grace is over, force it (SIGKILL, terminate), wait until it is gone, and answer then",
    async keep(world) {
      await world.start("papi-prod-1", { STUBBORN: "yes" })
      await world.ask("papi-prod-1", "/")
      await world.stop("papi-prod-1", 200)
      assert.equal((await world.look("papi-prod-1")).state, "ended")
    },
  },
  {
    family: "end",
    title: "a crash is told with its exit code, and its id is not started again",
    because:
      "crashes are evidence against a release: one that is restarted in silence is one that nobody sees",
    advice: "switch every restart policy of the platform off, and keep the exit code until it is forgotten",
    async keep(world) {
      await world.start("papi-prod-1")
      await world.ask("papi-prod-1", "/")
      await world.provoke("papi-prod-1", "/crash")
      const { exit } = await world.ended("papi-prod-1")
      assert.deepEqual([exit?.code, exit?.because], [7, "ended with exit code 7"])
      await world.start("papi-prod-1")
      assert.equal((await world.look("papi-prod-1")).state, "ended", "an id that has ended came back to life")
    },
  },
  {
    family: "end",
    title: "what was killed from outside is not called running",
    because: "users are sent to what is called running",
    advice: "list what the kernel or the platform says is there now, not what was started once",
    async keep(world) {
      await world.start("papi-prod-1")
      await world.ask("papi-prod-1", "/")
      await world.kill("papi-prod-1")
      assert.match((await world.ended("papi-prod-1")).exit?.because ?? "", /SIGKILL|exit code|ended/)
    },
  },
  {
    family: "survival",
    title: "lives on without whoever started it, and is found again at its address",
    because: "agents are restarted and upgraded while users are served",
    advice:
      "detach it from the process that starts it; keep what is needed to find it on disk or with the platform",
    async keep(world) {
      await world.start("papi-prod-1")
      await world.ask("papi-prod-1", "/")
      const before = await world.look("papi-prod-1")
      world.compute = world.under.reopen()
      const { address, state } = await world.look("papi-prod-1")
      assert.deepEqual([state, address], ["running", before.address])
      assert.equal(await world.ask("papi-prod-1", "/"), "well")
      await world.stop("papi-prod-1", 5_000)
      assert.equal((await world.look("papi-prod-1")).state, "ended")
    },
  },
  {
    family: "drift",
    title: "cannot change a file of its own; a file that root changed is told, and by whom it differs alone",
    because: "what was tested is what runs only as long as nothing changes it",
    advice:
      "run it from a read-only copy of its own, compare that with the artifact at every look, and list what differs",
    cannot: ({ under }) =>
      under.blindTo?.differences
        ? "the driver says that it does not see differences: modified instances will not be found"
        : under.edit === undefined
          ? "the driver has no verb `edit`, so nothing can be changed behind its back"
          : undefined,
    async keep(world) {
      await world.start("papi-prod-1")
      await world.start("papi-prod-2")
      // Root of a plain process may write where nobody else may; a container may not, whoever it is.
      if (JSON.parse(await world.ask("papi-prod-1", "/who")).uid !== 0)
        assert.match(await world.ask("papi-prod-1", "/write"), /^(EACCES|EROFS)$/)
      await world.under.edit?.("papi-prod-1", "papi.json", '{"flaw":"none","edited":true}')
      const found = await world.until("the difference", async () => {
        const { differences } = await world.look("papi-prod-1")
        return differences.length > 0 && differences
      })
      assert.equal(found.length, 1)
      assert.match(found.map(({ path, what }) => `${path} ${what}`).join(), /papi\.json changed$/)
      assert.deepEqual((await world.look("papi-prod-2")).differences, [])
    },
  },
  {
    family: "refusal",
    title: "an artifact that is not there is refused, and nothing is left of the try",
    because: "a release that cannot run must be told as that, and not as one that runs and is ill",
    advice: "check the artifact before anything is made; when a later step fails, undo the earlier ones",
    async keep(world) {
      const missing = {
        ...world.spec("papi-prod-1"),
        digest: `sha256:${"0".repeat(64)}` as Digest,
      }
      const by = { app: "papi", epoch: 3, generation: 1 }
      await assert.rejects(world.compute.start(missing, by, world.signal()), /sha256:000/)
      assert.deepEqual(await world.ids(), [])
    },
  },
  {
    family: "refusal",
    title: "a name that is a path is refused, and an unknown one is gone already",
    because: "ids become folders and names; and an end that is ordered twice is well",
    advice: "answer `stop` and `forget` of an id that you do not know as done",
    async keep(world) {
      await assert.rejects(world.start("../../etc"), /is not an instance id/)
      await world.stop("papi-prod-9", 0)
      await world.compute.forget("papi-prod-9")
      assert.deepEqual(await world.ids(), [])
    },
  },
  {
    family: "forget",
    title: "forgotten means gone; only its log is kept",
    because: "what is never removed fills the disk, and what was said is wanted when somebody asks why",
    advice: "remove the copy, the record and the platform's own remains at `forget`",
    async keep(world) {
      await world.start("papi-prod-1")
      await world.ask("papi-prod-1", "/")
      await world.stop("papi-prod-1", 5_000)
      await world.compute.forget("papi-prod-1")
      assert.deepEqual(await world.ids(), [])
      assert.match(world.under.log("papi-prod-1"), /up/)
    },
  },
]
