import { execFile } from "node:child_process"
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { promisify } from "node:util"
import { dockerEngine } from "../../providers/engine/index.ts"

const run = promisify(execFile)

/**
 * Builds the smallest image that runs `node`: this very Node with the libraries it needs, no shell, no package
 * manager, nothing from a registry. Answers its id, to be named in `FROM`.
 */
export async function buildBaseImage(socket: string): Promise<string> {
  const root = mkdtempSync(join(tmpdir(), "immunity-base-"))
  try {
    await fill(root)
    const engine = dockerEngine({ socket, owner: "nobody" })
    const order = { context: root, commit: undefined, network: "none" } as const
    const digest = await engine.build(order, () => undefined, AbortSignal.timeout(600_000))
    return digest.slice("sha256:".length)
  } finally {
    rmSync(root, { recursive: true, force: true })
  }
}

async function fill(root: string): Promise<void> {
  for (const folder of ["usr/bin", "etc", "tmp", "app", "proc", "sys", "dev", "run"])
    mkdirSync(join(root, folder), { recursive: true })
  chmodSync(join(root, "tmp"), 0o1777)
  const node = join(root, "usr/bin/node")
  copyFileSync(process.execPath, node)
  chmodSync(node, 0o755)
  // Its symbols are a quarter of it; where there is no strip it is only larger.
  await run("strip", [node]).catch(() => undefined)
  for (const library of await libraries(process.execPath)) {
    mkdirSync(join(root, dirname(library)), { recursive: true })
    copyFileSync(library, join(root, library))
  }
  writeFileSync(join(root, "etc/passwd"), "root:x:0:0:root:/:/none\napp:x:60600:60600:app:/app:/none\n")
  writeFileSync(join(root, "etc/group"), "root:x:0:\napp:x:60600:\n")
  writeFileSync(join(root, "etc/nsswitch.conf"), "hosts: files dns\n")
  writeFileSync(join(root, "Dockerfile"), "FROM scratch\nCOPY . /\nWORKDIR /app\n")
  writeFileSync(join(root, ".dockerignore"), "Dockerfile\n.dockerignore\n")
}

/** Where the loader finds what a program is linked with. */
async function libraries(program: string): Promise<readonly string[]> {
  const { stdout } = await run("ldd", [program])
  return stdout
    .split("\n")
    .map((line) => line.match(/=> (\/\S+)/)?.[1] ?? line.match(/^\s*(\/\S+)/)?.[1])
    .filter((path) => path !== undefined)
}
