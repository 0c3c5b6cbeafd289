import { existsSync } from "node:fs"
import { constants } from "node:os"
import { type Living, livingAt, pids } from "../../providers/compute/proc.ts"

type PutUp = { readonly takeDown: () => void; readonly isUp: () => boolean }

/** What was put up, in this order. */
const all = new Set<PutUp>()
/** What is closed, and waited for, before that. */
const first = new Set<() => Promise<unknown>>()
/** Milliseconds for which somebody who interrupts waits for it. */
const longestClose = 60_000
let listens = false
/** Milliseconds in which a process that we started may clean up after itself. */
const grace = 2_000

/**
 * Says how something that was just put up is taken down, should somebody interrupt this program (Ctrl-C, SIGTERM)
 * while it is up; the answer says that it is down. What was put up last goes first, then every process that this
 * program started, and then the program itself. Nothing else of it runs meanwhile, so `takeDown` must not need to wait
 * for a promise. `isUp` is for what may go without anybody saying so.
 */
export function whenInterrupted(takeDown: () => void, isUp = () => true): () => void {
  const mine = { takeDown, isUp }
  all.add(mine)
  listen()
  return () => void all.delete(mine)
}

/**
 * Where a system does not show its processes as files (no /proc), they are not found by looking for them: on an
 * interruption `close`, which asks them to end, is called and waited for first. Who interrupts once more waits no longer.
 */
export function closedFirst(close: () => Promise<unknown>, needed = !existsSync("/proc/self/stat")): void {
  if (!needed) return
  first.add(close)
  listen()
}

function listen(): void {
  if (!listens) for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, end)
  listens = true
}

type Signal = "SIGINT" | "SIGTERM"

function end(signal: Signal): void {
  const up = [...all].filter(({ isUp }) => isUp())
  if (up.length > 0) process.stderr.write("interrupted: what was started is taken down\n")
  if (first.size === 0) return takeDown(signal, up)
  process.once(signal, end)
  const closed = [...first].map((close) => close().catch(complain))
  first.clear()
  const tooLong = new Promise((resolve) => setTimeout(resolve, longestClose))
  void Promise.race([Promise.all(closed), tooLong]).then(() =>
    takeDown(
      signal,
      up.filter(({ isUp }) => isUp()),
    ),
  )
}

function takeDown(signal: Signal, up: readonly PutUp[]): never {
  const started = startedBy(process.pid)
  for (const { takeDown } of up.toReversed()) {
    try {
      takeDown()
    } catch (error) {
      complain(error)
    }
  }
  const lives = ({ pid, start }: Started) => livingAt(pid)?.start === start
  for (const { pid } of started.filter(lives)) kill(pid, "SIGTERM")
  for (let waited = 0; waited < grace && started.some(lives); waited += 50) standStill(50)
  for (const { pid } of started.filter(lives)) kill(pid)
  process.exit(128 + constants.signals[signal])
}

const complain = (error: unknown): void => {
  process.stderr.write(`not taken down: ${error instanceof Error ? error.message : String(error)}\n`)
}

/** That it is gone already is well. */
export function kill(pid: number, signal: NodeJS.Signals = "SIGKILL"): void {
  try {
    process.kill(pid, signal)
  } catch {
    // Gone already.
  }
}

/** Stands still, with everything else in this program. */
export function standStill(forMs: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, forMs)
}

type Started = Living & { readonly pid: number }

/** A process's children and theirs. */
function startedBy(pid: number): readonly Started[] {
  const all = pids().flatMap((each): readonly Started[] => {
    const living = livingAt(each)
    return living ? [{ pid: each, ...living }] : []
  })
  const children = (of: number): readonly Started[] =>
    all.filter(({ parent }) => parent === of).flatMap((child) => [child, ...children(child.pid)])
  return children(pid)
}
