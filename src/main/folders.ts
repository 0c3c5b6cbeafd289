import { randomBytes } from "node:crypto"
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs"
import { dirname, join, resolve } from "node:path"
import { fileURLToPath } from "node:url"
import { exit, Stop } from "../cli/client.ts"

/** Where one server keeps its things. */
export type Folders = {
  readonly root: string
  readonly store: string
  readonly git: string
  readonly agent: string
  readonly router: string
  /** Which servers have joined, and the authority that signs for them. */
  readonly servers: string
  readonly token: string
  /** Allows instances to push measurements and nothing else. */
  readonly pushToken: string
  readonly webhookSecret: string
  /** Seals what is secret in a configuration. */
  readonly secretsKey: string
}

/** The folders under one root; the agent's may lie elsewhere, and a token may be given. */
export function foldersIn(
  given: string,
  {
    agentDir,
    tokenFile,
    secretsKeyFile,
  }: {
    readonly agentDir?: string | undefined
    readonly tokenFile?: string | undefined
    readonly secretsKeyFile?: string | undefined
  } = {},
): Folders {
  const root = resolve(given)
  const shared = resolve(agentDir ?? root)
  for (const folder of [root, shared]) makeFolder(folder, passable())
  for (const folder of [join(root, "git"), join(shared, "router")]) makeFolder(folder, 0o700)
  return {
    root,
    store: join(root, "immunity.db"),
    git: join(root, "git"),
    agent: join(shared, "agent"),
    router: join(shared, "router"),
    servers: join(shared, "servers"),
    token: tokenFile ? resolve(tokenFile) : join(root, "token"),
    pushToken: join(root, "push-token"),
    webhookSecret: join(root, "webhook-secret"),
    secretsKey: secretsKeyFile ? resolve(secretsKeyFile) : join(root, "secrets-key"),
  }
}

/** Makes a folder where there is none, and those above it. Throws Stop with what is in its way. */
export function makeFolder(folder: string, mode: number): void {
  try {
    makeEach(folder, mode)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    const because =
      code === "EEXIST" || code === "ENOTDIR"
        ? "a file is in its place"
        : error instanceof Error
          ? error.message
          : code
    throw new Stop(exit.usage, `${folder} cannot be made: ${because}. Name a folder of your own with --dir`)
  }
}

/** One by one: below /proc, where none can be made, Node's own way of making all of them tries for ever. */
function makeEach(folder: string, mode: number): void {
  if (isFolder(folder)) return
  if (dirname(folder) !== folder) makeEach(dirname(folder), mode)
  try {
    mkdirSync(folder, { mode })
  } catch (error) {
    // Somebody else may have been quicker.
    if (!isFolder(folder)) throw error
  }
}

const isFolder = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false

/**
 * Where we are root, instances run as users of their own, who must be able to pass through (not read) the folders
 * above theirs; what is secret in them is closed itself.
 */
export const passable = (): number => (process.getuid?.() === 0 ? 0o711 : 0o700)

/** The token that every change through the API needs. */
export const tokenIn = (folders: Folders): string =>
  secretIn(folders.token, () => randomBytes(32).toString("base64url"))

/** What notices to webhooks are signed with, by the rules of Standard Webhooks. */
export const webhookSecretIn = (folders: Folders): string =>
  secretIn(folders.webhookSecret, () => `whsec_${randomBytes(32).toString("base64")}`)

/** What an agent's containers are named and marked with: made once, never that of another agent. */
export function keyIn(agentDir: string): string {
  const file = join(agentDir, "container-key")
  if (!existsSync(file)) writeFileSync(file, `${randomBytes(6).toString("hex")}\n`, { mode: 0o600 })
  const key = readFileSync(file, "utf8").trim()
  if (/^[0-9a-f]{12}$/.test(key)) return key
  throw new Stop(78, `${file} holds no key of twelve hex digits; restore it: the agent's containers bear it`)
}

/** The key of what is secret in configurations. Whoever loses it loses those secrets. */
export const secretsKeyIn = (folders: Folders): string =>
  secretIn(folders.secretsKey, () => randomBytes(32).toString("base64url"))

/** A secret of this server: made at the first start, readable by its owner alone. */
function secretIn(file: string, make: () => string): string {
  if (!existsSync(file)) writeFileSync(file, `${make()}\n`, { mode: 0o600 })
  if (statSync(file).mode & 0o077) {
    throw new Stop(
      78,
      `${file} can be read by others; change it (chmod 600) or delete it, and a new one is made`,
    )
  }
  const secret = readFileSync(file, "utf8").trim()
  if (secret.length < 32)
    throw new Stop(
      78,
      `${file} holds a secret of ${secret.length} characters; delete it, and a safe one is made`,
    )
  return secret
}

/** This program's own command line, for the processes it starts. */
export const ownArgv = (...args: readonly string[]): readonly string[] => [
  process.execPath,
  "--disable-warning=ExperimentalWarning",
  fileURLToPath(new URL("../main.js", import.meta.url)),
  ...args,
]

/** What builds, tests and instances find: this Node first, then the system. */
export const toolPath = (): string => `${dirname(process.execPath)}:/usr/local/bin:/usr/bin:/bin`
