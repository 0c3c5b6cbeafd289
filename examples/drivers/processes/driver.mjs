#!/usr/bin/env node
// A driver for Immunity that runs instances as plain processes of this machine. It needs nothing but Node and a
// shell, and shows every verb of docs/guides/writing-a-driver.md:
//   immunity driver check examples/drivers/processes/driver.mjs
//   immunity serve --compute script --driver examples/drivers/processes/driver.mjs
import { spawn } from "node:child_process"
import { createHash } from "node:crypto"
import * as fs from "node:fs"
import { createServer } from "node:net"
import { availableParallelism, constants, freemem, loadavg, totalmem } from "node:os"
import { dirname, join } from "node:path"

const home = process.env.IMMUNITY_DRIVER_DIR ?? process.cwd()
const instances = join(home, "instances")
const ports = join(home, "ports")
const of = (id, ...more) => join(instances, id, ...more)
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms))

const verbs = {
  capabilities: () => ({ name: "processes", verbs: Object.keys(verbs), memory: true, differences: true }),

  async start(order) {
    if (recordOf(order.id)) return {}
    if (!fs.existsSync(order.manifest)) refuse(`there is no artifact ${order.digest} at ${order.artifact}`)
    const limit = mostInstances()
    if (limit !== undefined && running().length >= limit)
      refuse(`${limit} instances run here, which is the limit in most-instances`, "no-capacity")
    // What a start left behind that was cut off before its record was written.
    discard(of(order.id))
    try {
      await startIn(order)
    } catch (error) {
      discard(of(order.id))
      throw error
    }
    return {}
  },

  async stop({ id, graceMs }) {
    const record = recordOf(id)
    if (!record) return {}
    if (!fs.existsSync(of(id, "exit"))) fs.writeFileSync(of(id, "ordered"), "")
    signal(record, "SIGTERM")
    const deadline = Date.now() + graceMs
    while (isAlive(record, groups()) && Date.now() < deadline) await pause(30)
    signal(record, "SIGKILL")
    while (isAlive(record, groups())) await pause(20)
    return {}
  },

  list() {
    const now = groups()
    return {
      instances: known().map((record) => {
        const { id, address, startedAt } = record
        if (!isAlive(record, now)) return { id, state: "ended", address, startedAt, exit: exitOf(record) }
        const memory = now.get(record.pid)?.memory
        return { id, state: "running", address, startedAt, memory, differences: differencesOf(record) }
      }),
    }
  },

  /** What each one wrote, from the bytes on that were asked for. */
  logs({ from }) {
    const most = 256 * 1024
    const logs = {}
    for (const [id, start] of Object.entries(from)) {
      if (!fs.existsSync(of(id, "log"))) continue
      const file = fs.openSync(of(id, "log"), "r")
      const buffer = Buffer.alloc(most)
      logs[id] = buffer.subarray(0, fs.readSync(file, buffer, 0, most, start)).toString("base64")
      fs.closeSync(file)
    }
    return { logs }
  },

  forget({ id }) {
    const record = recordOf(id)
    if (record) fs.rmSync(join(ports, String(record.port)), { force: true })
    discard(of(id))
    return {}
  },

  capacity() {
    const cpus = availableParallelism()
    const limit = mostInstances()
    return {
      ...(limit === undefined
        ? {}
        : { instances: { total: limit, free: Math.max(0, limit - running().length) } }),
      memory: { total: totalmem(), free: freemem() },
      cpus: { total: cpus, free: Math.max(0, cpus - loadavg()[0]) },
    }
  },

  /** For `immunity driver check` alone: what root of this machine could do. */
  edit({ id, file, text }) {
    fs.chmodSync(of(id, "app", file), 0o644)
    fs.writeFileSync(of(id, "app", file), text)
    return {}
  },
}

async function startIn(order) {
  fs.mkdirSync(of(order.id, "tmp"), { recursive: true, mode: 0o700 })
  copyTree(order.artifact, of(order.id, "app"))
  const port = await reservePort()
  const log = fs.openSync(of(order.id, "log"), "a", 0o600)
  // The gate: no instance runs that is not on record. The outer shell stays to see how the inner one ended; being
  // asked to end is for the inner one.
  const keeper = 'read -r go || exit 75; trap : TERM; sh -c "$1" </dev/null; echo $? >"$2"'
  const child = spawn("sh", ["-c", keeper, "keeper", order.command, of(order.id, "exit")], {
    cwd: of(order.id, "app"),
    detached: true,
    stdio: ["pipe", log, log],
    env: {
      ...order.env,
      PATH: process.env.PATH,
      HOME: of(order.id, "tmp"),
      TMPDIR: of(order.id, "tmp"),
      HOST: order.host ?? "127.0.0.1",
      PORT: String(port),
    },
  })
  await new Promise((resolve, reject) => child.once("spawn", resolve).once("error", reject))
  const record = {
    id: order.id,
    pid: child.pid,
    start: startOf(child.pid),
    port,
    address: `${order.host ?? "127.0.0.1"}:${port}`,
    startedAt: new Date().toISOString(),
    manifest: order.manifest,
  }
  write(of(order.id, "record.json"), record)
  child.stdin.end("go\n")
  child.unref()
}

/** Its own, read-only. */
function copyTree(from, to) {
  fs.mkdirSync(to)
  for (const entry of fs.readdirSync(from, { withFileTypes: true })) {
    const [source, target] = [join(from, entry.name), join(to, entry.name)]
    if (entry.isDirectory()) copyTree(source, target)
    else if (entry.isSymbolicLink()) fs.symlinkSync(fs.readlinkSync(source), target)
    else fs.copyFileSync(source, target)
  }
  fs.chmodSync(to, 0o555)
}

/** A file for each port that is taken: two drivers that run at the same moment never choose the same one. */
async function reservePort() {
  fs.mkdirSync(ports, { recursive: true })
  for (let tries = 0; tries < 200; tries++) {
    const port = 30_000 + Math.floor(Math.random() * 2_000)
    try {
      fs.writeFileSync(join(ports, String(port)), "", { flag: "wx" })
    } catch {
      continue
    }
    if (await isFree(port)) return port
    fs.rmSync(join(ports, String(port)), { force: true })
  }
  throw new Error("no free port between 30000 and 31999")
}

const isFree = (port) =>
  new Promise((resolve) => {
    const server = createServer().once("error", () => resolve(false))
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)))
  })

const known = () =>
  (fs.existsSync(instances) ? fs.readdirSync(instances) : []).map(recordOf).filter((record) => record)

function running() {
  const now = groups()
  return known().filter((record) => isAlive(record, now))
}

function recordOf(id) {
  if (!/^[a-z0-9][a-z0-9-]{0,150}$/.test(id)) refuse(`${id} is not an instance id`)
  try {
    return JSON.parse(fs.readFileSync(of(id, "record.json"), "utf8"))
  } catch {
    return undefined
  }
}

function mostInstances() {
  const file = join(home, "most-instances")
  return fs.existsSync(file) ? Number(fs.readFileSync(file, "utf8")) : undefined
}

/** Every process group of this machine that has somebody alive: its memory, and when its leader began. */
function groups() {
  const found = new Map()
  for (const pid of fs.readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
    const stat = statOf(pid)
    if (!stat || stat[0] === "Z" || stat[0] === "X") continue
    const group = Number(stat[2])
    const before = found.get(group) ?? { memory: 0, leader: undefined }
    const leader = Number(pid) === group ? stat[19] : before.leader
    found.set(group, { memory: before.memory + Number(stat[21]) * 4096, leader })
  }
  return found
}

/** A number alone may belong to somebody else by now. */
function isAlive(record, now) {
  const group = now.get(record.pid)
  return group !== undefined && (group.leader === undefined || group.leader === record.start)
}

const startOf = (pid) => statOf(pid)?.[19]

function statOf(pid) {
  try {
    const stat = fs.readFileSync(`/proc/${pid}/stat`, "utf8")
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ")
  } catch {
    return undefined
  }
}

function signal(record, name) {
  if (!isAlive(record, groups())) return
  try {
    process.kill(-record.pid, name)
  } catch {
    // Gone already.
  }
}

function exitOf({ id }) {
  if (fs.existsSync(of(id, "ordered"))) return { signal: "SIGTERM", because: "ended as ordered" }
  if (!fs.existsSync(of(id, "exit"))) return { because: "ended with all of its processes; nobody saw how" }
  const code = Number(fs.readFileSync(of(id, "exit"), "utf8"))
  // A shell tells of a signal as 128 and its number.
  const by = Object.entries(constants.signals).find(([, number]) => number + 128 === code)?.[0]
  return by ? { signal: by } : { code }
}

/** A file is read again only when the kernel says that it was touched since it was last found right. */
function differencesOf({ id, manifest }) {
  const expected = new Map(JSON.parse(fs.readFileSync(manifest, "utf8")).map((entry) => [entry.path, entry]))
  const right = fs.existsSync(of(id, "right.json"))
    ? JSON.parse(fs.readFileSync(of(id, "right.json"), "utf8"))
    : {}
  const found = []
  const present = new Set(filesIn(of(id, "app")))
  for (const path of present) if (!expected.has(path)) found.push({ path, what: "added" })
  let learnt = false
  for (const [path, entry] of expected) {
    if (!present.has(path)) {
      found.push({ path, what: "removed" })
      continue
    }
    const file = of(id, "app", path)
    const { ino, size, ctimeNs, mode } = fs.lstatSync(file, { bigint: true })
    const mark = `${ino}/${size}/${ctimeNs}/${mode}`
    if (right[path] === mark) continue
    const same =
      entry.kind === "link"
        ? fs.readlinkSync(file) === entry.target
        : createHash("sha256").update(fs.readFileSync(file)).digest("hex") === entry.sha256
    if (!same) found.push({ path, what: "changed" })
    else {
      right[path] = mark
      learnt = true
    }
  }
  if (learnt) write(of(id, "right.json"), right)
  return found.slice(0, 100)
}

const filesIn = (folder, inside = "") =>
  fs.readdirSync(join(folder, inside), { withFileTypes: true }).flatMap((entry) => {
    const path = inside === "" ? entry.name : `${inside}/${entry.name}`
    return entry.isDirectory() ? filesIn(folder, path) : [path]
  })

/** Whole or not at all, also when this process dies in the middle. */
function write(file, value) {
  fs.mkdirSync(dirname(file), { recursive: true })
  fs.writeFileSync(`${file}.new`, JSON.stringify(value), { mode: 0o600 })
  fs.renameSync(`${file}.new`, file)
}

/** Folders of an artifact are read-only, also to whoever removes them. */
function discard(folder) {
  const open = (path) => {
    if (!fs.lstatSync(path, { throwIfNoEntry: false })?.isDirectory()) return
    fs.chmodSync(path, 0o700)
    for (const name of fs.readdirSync(path)) open(join(path, name))
  }
  open(folder)
  fs.rmSync(folder, { recursive: true, force: true })
}

function refuse(because, code) {
  throw Object.assign(new Error(because), { refused: true, code })
}

try {
  const verb = process.argv[2]
  if (!Object.hasOwn(verbs, verb ?? "")) refuse(`there is no verb ${verb}`)
  const order = JSON.parse(fs.readFileSync(0, "utf8"))
  if (order.version !== 1) refuse(`this driver speaks version 1, and was asked in ${order.version}`)
  const answer = await verbs[verb](order)
  process.stdout.write(`${JSON.stringify({ version: 1, ...answer })}\n`)
} catch (error) {
  if (error.refused)
    process.stdout.write(`${JSON.stringify({ version: 1, refused: error.message, code: error.code })}\n`)
  else process.stderr.write(`${error.message}\n`)
  process.exitCode = 1
}
