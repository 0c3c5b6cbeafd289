import { execFile } from "node:child_process"
import { promisify } from "node:util"

const run = promisify(execFile)

const wanted = { wrk: "wrk", haproxy: "haproxy", nginx: "nginx-light", caddy: "caddy", openssl: "openssl" }

export const isInstalled = (program: string): Promise<boolean> =>
  run("sh", ["-c", `PATH=$PATH:/usr/sbin command -v ${program}`]).then(
    () => true,
    () => false,
  )

/** Brings what is missing from Debian, where that is possible. Throws when wrk, HAProxy or openssl stay missing. */
export async function install(say: (text: string) => void): Promise<void> {
  const missing = async () => {
    const found = await Promise.all(Object.keys(wanted).map(isInstalled))
    return Object.entries(wanted).filter((_, at) => !found[at])
  }
  const packages = (await missing()).map(([, name]) => name)
  if (packages.length > 0) {
    say(`installing ${packages.join(" ")}`)
    const quiet = { env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" } }
    await run("apt-get", ["update", "-qq"], quiet).catch(() => undefined)
    for (const name of packages)
      await run("apt-get", ["install", "-y", "-qq", "--no-install-recommends", name], quiet).catch(
        (error: unknown) =>
          say(`${name} cannot be installed: ${error instanceof Error ? error.message : error}`),
      )
  }
  const still = (await missing()).map(([program]) => program).filter((program) => program !== "caddy")
  if (still.length > 0) throw new Error(`not found: ${still.join(", ")}; install them and run this again`)
}
