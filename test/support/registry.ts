import { type ChildProcess, execFileSync, spawn } from "node:child_process"
import { mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { freePorts } from "../../src/main/demo/free-ports.ts"
import { until } from "./until.ts"

/** What the registry lets in. */
export const login = "ci:let-me-push"
const hashed = "ci:$2b$05$ud1vWBNFMu8aAc14pthV5O3WCKzIxX2fGPbzSaR1ncQUEqyZp8sBG"

/** A real registry in a folder of its own, which asks for a login; undefined, loudly, where there is none. */
export async function realRegistry(dir: string) {
  try {
    execFileSync("docker-registry", ["--version"], { stdio: "ignore" })
  } catch {
    process.stderr.write("SKIPPED, there is no docker-registry here (scripts/setup.sh tests installs it)\n")
    return undefined
  }
  const [port = 0] = await freePorts(1)
  const host = `127.0.0.1:${port}`
  const store = join(dir, "store")
  mkdirSync(store, { recursive: true })
  writeFileSync(join(dir, "htpasswd"), `${hashed}\n`)
  writeFileSync(
    join(dir, "config.yml"),
    `version: 0.1
log: { level: error, accesslog: { disabled: true } }
storage: { filesystem: { rootdirectory: ${store} } }
http: { addr: "${host}" }
auth: { htpasswd: { realm: tests, path: ${join(dir, "htpasswd")} } }
`,
  )
  let running: ChildProcess | undefined
  const answers = () =>
    fetch(`http://${host}/v2/`).then(
      () => true,
      () => undefined,
    )
  const start = async () => {
    if (running) return
    running = spawn("docker-registry", ["serve", join(dir, "config.yml")], { stdio: "ignore" })
    await until("the registry to answer", answers)
  }
  const stop = async () => {
    const ended = running
    running = undefined
    if (!ended) return
    await new Promise((resolve) => {
      ended.once("exit", resolve)
      ended.kill("SIGKILL")
    })
  }
  const authorization = `Basic ${Buffer.from(login).toString("base64")}`
  const type = "application/vnd.docker.distribution.manifest.v2+json"
  await start()
  return {
    host,
    /** Where its bytes lie. */
    store,
    start,
    stop,
    /** What lies under a tag or a digest of a repository, as anybody with the login may ask. */
    manifest: async (repository: string, reference: string) => {
      const answer = await fetch(`http://${host}/v2/${repository}/manifests/${reference}`, {
        headers: { authorization, accept: `${type}, application/vnd.oci.image.manifest.v1+json` },
      })
      return { digest: answer.headers.get("docker-content-digest"), text: await answer.text() }
    },
    /** Lets a tag mean another image. */
    move: async (repository: string, tag: string, text: string) => {
      const headers = { authorization, "content-type": type }
      const answer = await fetch(`http://${host}/v2/${repository}/manifests/${tag}`, {
        method: "PUT",
        headers,
        body: text,
      })
      if (!answer.ok) throw new Error(`the tag was not moved: ${await answer.text()}`)
    },
  }
}
