import { spawn } from "node:child_process"
import { chmodSync } from "node:fs"
import { join } from "node:path"
import { text } from "node:stream/consumers"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { freePorts } from "../../src/main/demo/free-ports.ts"
import { processesOf } from "../../src/main/demo/leftovers.ts"
import { Cluster } from "../support/cluster.ts"
import { immunity, type Ran } from "../support/run.ts"
import { minutes } from "../support/until.ts"

const pipeline = ([sandbox, production]: readonly number[]): string => `version: 1
app: papi
start: node server.js
test: node test.js
run: { health: { path: /healthz, every: 200ms, healthy: 1 }, drain: 1s }
regions:
  - { name: sandbox, listen: ${sandbox} }
  - { name: production, listen: ${production}, gate: button, bake: 0s }
metrics: http
`

describe("whoever gives orders on the command line", () => {
  let cluster: Cluster

  const run = (...args: readonly string[]): Promise<Ran> =>
    immunity(args, {
      IMMUNITY_SERVER: cluster.url,
      IMMUNITY_DIR: join(cluster.dir, "server"),
      IMMUNITY_ACTOR: "Mira",
    })

  beforeAll(async () => {
    cluster = await Cluster.open(2, pipeline)
    cluster.serve()
    cluster.commit("first version", "none")
    const added = await cluster.until(
      "the server",
      async () => {
        const ran = await run("app", "add", cluster.repository, "--name", "papi")
        return ran.code === 0 ? ran : undefined
      },
      minutes,
    )
    expect(added.stdout).toContain("papi is added")
  }, 3 * minutes)

  afterAll(async () => {
    expect(await cluster.close()).toEqual([])
  }, minutes)

  it("waits for the first gate and is told that a person is needed", async () => {
    await cluster.until("the commit", async () => (await cluster.app()).commits[0], minutes)
    const { code, stdout } = await run("deploy", "papi", "--yes", "--timeout", "2m")
    // It may be on its way already, which is refused; or it is chosen again and climbs to the gate.
    if (code !== 6) expect(stdout).toContain("waits for a person before production")
    await cluster.until(
      "the gate",
      async () => (await cluster.app()).rollouts.find((rollout) => rollout.asks),
      minutes,
    )
    const why = await run("why", "papi#2")
    expect(why.code).toBe(7)
  })

  it("stops everything with the kill switch, which pages and the doctor show, and lets it go on", async () => {
    const set = await run("kill-switch", "set", "--reason", "something is odd", "--yes")
    expect(set.stdout).toMatch(/^set: set by Mira at .* UTC: something is odd$/m)
    const page = await fetch(`${cluster.url}/a/papi`).then((answer) => answer.text())
    expect(page).toMatch(/role="alert".*The kill switch is set.*something is odd/s)
    expect((await cluster.app()).problems.map(({ part }) => part)).toContain("kill switch")
    const sick = await run("doctor")
    expect(sick.stdout).toMatch(
      /problem +kill switch +it is set.*Mira: something is odd\n.*immunity kill-switch lift/,
    )
    const lifted = await run("kill-switch", "lift", "--reason", "it was nothing", "--yes")
    expect(lifted.stdout).toContain("not set")
    expect((await run("kill-switch", "--json")).stdout).toBe('{"set":false,"because":[]}\n')
    expect((await cluster.app()).problems).toEqual([])
    expect(await fetch(`${cluster.url}/a/papi`).then((answer) => answer.text())).not.toContain("kill switch")
  })

  it("gets the present routes as a configuration of nginx", async () => {
    const { code, stdout, stderr } = await run("export", "nginx", "papi")
    expect(code).toBe(0)
    expect(stderr).toContain("not as Immunity does it: requests are copied nowhere")
    expect(stdout).toContain(`listen 127.0.0.1:${cluster.ports[1]};`)
    expect(stdout).toMatch(/split_clients .*\n {2}\* papi_sandbox_r\d+;/)
    expect(stdout).toMatch(/server 127\.0\.0\.1:\d+; # papi-/)
    expect(stdout).not.toContain("preview")
    const nobody = await run("export", "nginx", "nobody")
    expect([nobody.code, nobody.stderr]).toEqual([2, expect.stringContaining("no application nobody")])
  })

  it("is told what will happen, and nothing happens unasked", async () => {
    const { code, stderr } = await run("approve", "papi#2", "--reason", "looks good")
    expect(code).toBe(2)
    expect(stderr).toContain("gets 1 fresh instance at production (local)")
    expect(stderr).toContain("say --yes")
    expect((await cluster.rollout(2)).summary.phase).toBe("queued")
  })

  it("is told what is possible when an order makes no sense now", async () => {
    const { code, stderr } = await run("retry", "papi#2", "--reason", "again", "--yes")
    expect(code).toBe(6)
    expect(stderr).toContain("Possible now: approve, reject")
  })

  it("stops waiting after --timeout while the rollout goes on, and can wait for its end again", async () => {
    const started = await run("approve", "papi#2", "--reason", "looks good", "--yes", "--timeout", "0s")
    expect(started.code).toBe(8)
    expect(started.stderr).toContain("papi#2 still goes on")
    const end = await cluster.until(
      "success",
      async () => {
        const { summary } = await cluster.rollout(2)
        return summary.phase === "succeeded" ? summary : undefined
      },
      2 * minutes,
    )
    expect(end.region).toBe("production")
    const why = await run("why", "papi#2", "--json")
    expect(why.code).toBe(0)
    expect(JSON.parse(why.stdout)).toMatchObject({ app: "papi", summary: { phase: "succeeded" } })
  })

  it("is told by the doctor that all is well, and what is not", async () => {
    const where = join(cluster.dir, "server")
    const well = await run("doctor", "--dir", where)
    expect(well.stdout).toMatch(/well +store +whole, every event follows/)
    expect(well.stdout).toMatch(/well +server +http/)
    expect(well.code).toBe(0)
    chmodSync(join(where, "token"), 0o644)
    const ill = await run("doctor", "--dir", where)
    chmodSync(join(where, "token"), 0o600)
    expect(ill.stdout).toMatch(/problem +secrets .*can be read by others\n +next: chmod 600/)
    expect(ill.code).toBe(1)
  })

  it("is refused a repository under another name at once, and told of a commit that is refused later", async () => {
    const added = await run("app", "add", cluster.repository, "--name", "other")
    expect([added.code, added.stdout]).toEqual([2, ""])
    expect(added.stderr).toContain("its immunity.yaml says app: papi, and it would be added as other")
    expect(added.stderr).toContain("--name papi")
    const yaml = pipeline(cluster.ports.slice(1)).replace("app: papi", "app: other")
    const commit = cluster.commit("renames itself", "none", { "immunity.yaml": yaml })
    const { sentence, todo } = await cluster.until(
      "the commit",
      async () => {
        const app = await cluster.app()
        return app.commits[0]?.commit === commit.slice(0, 7) ? app : undefined
      },
      minutes,
    )
    expect(sentence).toContain(`the newest commit ${commit.slice(0, 7)} "renames itself" is refused: `)
    expect(sentence).toContain("immunity.yaml says app: other, and this application is called papi")
    expect(todo).toContain("Say app: papi there, or add the repository once more as other")
    const empty = join(cluster.dir, "nowhere")
    const missing = await run("app", "add", empty, "--name", "nowhere")
    expect([missing.code, missing.stdout]).toEqual([0, expect.stringContaining("it could not be read")])
  })

  it("is told what is wrong with what makes no sense, in words", async () => {
    const says = async (...args: readonly string[]) => {
      const { code, stderr } = await run(...args)
      return `${code} ${stderr.trim().split("\n").at(-1)}`
    }
    expect(await says("deploy", "papi", "zzz", "--yes")).toBe(
      '2 immunity: commit: "zzz" is not the id of a commit, or at least the first four characters of it',
    )
    expect(await says("status", "papi/../../other")).toMatch(/^2 immunity: a name in .* is not one/)
    expect(await says("status", "--server", "nonsense")).toBe(
      "2 immunity: --server nonsense is not an address such as http://127.0.0.1:7300",
    )
    const [nobody = 0] = await freePorts(1)
    expect(await says("watch", "--server", `http://127.0.0.1:${nobody}`)).toMatch(
      /^1 immunity: no server answers at http:\/\/127\.0\.0\.1:\d+ \(.*ECONNREFUSED.*\); start one with: immunity serve$/,
    )
    expect(await says("servers", "invite", "A B")).toMatch(/"A B" is not a name: a letter, then letters/)
    expect(await says("serve", "--db", "nonsense")).toMatch(
      /^2 immunity: --db, or IMMUNITY_DB, is no address/,
    )
    for (const time of ["9h", "0m"])
      expect(await says("override", "papi", "--for", time, "--reason", "x", "--yes")).toBe(
        `2 immunity: --for ${time} is no time for it: more than none, at most 4h`,
      )
    expect(await says("validate", "src")).toBe("2 immunity: src is a folder; name a file in it")
    expect(await says("init", "--app", "PaPi")).toMatch(/^2 immunity: nothing is written, .*"PaPi" is not a/)
    for (const port of ["abc", "-1", "1e3", "65536", ""])
      expect(await says("serve", "--port", port)).toMatch(/^2 immunity: --port .* is not a port/)
    expect(await says("app", "policy", "papi", "nowhere.yaml")).toMatch(
      /^2 immunity: nowhere\.yaml cannot be read/,
    )
  })

  it("is written down by the name that it has, in any script", async () => {
    const as = (name: string, ...args: readonly string[]) =>
      immunity([...args, "papi", "--yes", "--reason", "lunch", "--detach"], {
        IMMUNITY_SERVER: cluster.url,
        IMMUNITY_DIR: join(cluster.dir, "server"),
        IMMUNITY_ACTOR: name,
      })
    expect((await as("Jörg 李", "pause")).code).toBe(0)
    expect((await cluster.timeline())[0]).toMatchObject({ title: "Paused", by: "Jörg 李" })
    const nobody = await as("two\nlines", "resume")
    expect([nobody.code, nobody.stderr]).toEqual([2, expect.stringContaining("is not a name")])
    expect((await as("Mira", "resume")).code).toBe(0)
  })

  it("finds no drift where nobody touched anything", async () => {
    const { code, stdout } = await run("drift", "papi", "--exit-code")
    expect([code, stdout.trim()]).toEqual([0, "every instance is what its release says"])
  })

  it("locks and releases with a reason, which the journal keeps", async () => {
    expect((await run("lock", "add", "papi", "--reason", "an audit", "--yes")).code).toBe(0)
    expect((await run("lock", "list", "papi")).stdout).toContain("Mira: an audit")
    const released = await run("lock", "release", "papi", "--reason", "done", "--yes")
    expect(released.stderr).toContain("it was locked by Mira: an audit")
    expect(released.code).toBe(0)
    expect((await run("lock", "release", "papi", "--reason", "done", "--yes")).code).toBe(2)
  })

  it("removes an application with everything that it runs, reads its history, and adds it again", async () => {
    const [, sandbox] = cluster.ports
    const answers = () =>
      fetch(`http://127.0.0.1:${sandbox}/`).then(
        ({ ok }) => ok,
        () => false,
      )
    await cluster.until(
      "calm",
      async () => ((await cluster.app()).removal.refused === undefined ? true : undefined),
      minutes,
    )
    expect(await answers()).toBe(true)
    const asked = await run("app", "remove", "papi", "--reason", "nobody uses it")
    expect(asked.code).toBe(2)
    expect(asked.stderr).toContain(`sandbox: its address 127.0.0.1:${sandbox} closes`)
    expect(await answers()).toBe(true)
    const removed = await run("app", "remove", "papi", "--reason", "nobody uses it", "--yes")
    expect([removed.code, removed.stdout]).toEqual([0, expect.stringContaining("nothing of it runs")])
    expect(await answers()).toBe(false)
    expect(processesOf(join(cluster.dir, "server", "agent", "instances"))).toEqual([])
    expect((await run("status")).stdout).not.toContain("papi")
    const gone = await run("status", "papi")
    expect([gone.code, gone.stderr]).toEqual([
      2,
      expect.stringContaining(
        "papi was removed by Mira: nobody uses it. Add it again with: immunity app add",
      ),
    ])
    expect((await cluster.timeline())[0]?.title).toBe("Nothing of it runs any more")
    expect((await cluster.rollout(1)).summary.region).toBe("sandbox")
    const page = await fetch(`${cluster.url}/a/papi`)
    expect([page.status, await page.text()]).toEqual([200, expect.stringContaining("Removed by Mira on ")])
    expect((await run("pause", "papi", "--reason", "lunch", "--yes")).code).toBe(2)
    // Asked for once more, as after a timeout: it is as was asked.
    const again = await run("app", "remove", "papi", "--reason", "nobody uses it")
    expect([again.code, again.stdout]).toEqual([
      0,
      expect.stringContaining(
        "nothing is left to do: papi was removed by Mira: nobody uses it. Add it again",
      ),
    ])
    expect((await run("app", "remove", "papo", "--reason", "a slip", "--yes")).code).toBe(2)

    const commit = cluster.commit("comes back", "none", { "immunity.yaml": pipeline(cluster.ports.slice(1)) })
    expect((await run("app", "add", cluster.repository, "--name", "papi")).code).toBe(0)
    await cluster.until(
      "the sandbox",
      async () => (await cluster.app()).regions.find(({ serving }) => serving?.commit === commit.slice(0, 7)),
      minutes,
    )
    expect(await answers()).toBe(true)
  })

  it("may leave before everything is told", async () => {
    const child = spawn("bin/immunity", ["schema"], { stdio: ["ignore", "pipe", "pipe"] })
    child.stdout.destroy()
    const said = text(child.stderr)
    const code = await new Promise((resolve) => child.once("exit", resolve))
    expect([code, await said]).toEqual([0, ""])
  })

  it("gets every exit code explained", async () => {
    const { stdout } = await run("help", "exit-codes")
    for (const code of [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 130])
      expect(stdout).toMatch(new RegExp(`^ +${code}  `, "m"))
    expect((await run("help", "nonsense")).code).toBe(2)
    expect((await run("help", "lock", "release")).stdout).toContain("Usage: immunity lock release ")
    const wrong = await run("help", "lock", "nonsense")
    expect([wrong.code, wrong.stderr.trim()]).toEqual([
      2,
      'immunity: there is no command "lock nonsense"; see: immunity help lock',
    ])
  })
})
