import type { Interval, Writer } from "../src/ports/evidence.ts"
import type { Append, AppendOutcome, OutboxRow, StoredEvent } from "../src/ports/journal.ts"
import { type Lease, presenceOf } from "../src/ports/leases.ts"
import type { Notice } from "../src/ports/notifier.ts"
import type { Order } from "../src/ports/orders.ts"
import type { Snapshot } from "../src/ports/snapshots.ts"
import { Digest } from "./random.ts"

type LeaseRow = { owner: string | undefined; epoch: number; expiresAt: number }
type Row = { readonly id: number; readonly notice: Notice; attempts: number; dueAt: number; dead: boolean }

/** What the store's promises come to, without SQL: every method is one transaction. */
export class StoreModel {
  readonly streams = new Map<string, StoredEvent[]>()
  readonly leases = new Map<string, LeaseRow>()
  readonly commands = new Map<string, unknown>()
  readonly outbox: Row[] = []
  readonly #all: StoredEvent[] = []
  readonly #intervals = new Map<string, Interval[]>()
  readonly #bundles = new Map<string, unknown>()
  readonly #snapshots = new Map<string, Snapshot>()
  readonly #orders = new Map<string, { readonly order: Order; answer: unknown }>()
  /** Set while nothing can be written. */
  problem: string | undefined
  readonly #now: () => number
  #rows = 0

  constructor(now: () => number) {
    this.#now = now
  }

  append(append: Append): AppendOutcome {
    this.#writable()
    const { stream, expected, epoch, events, command } = append
    if (command && this.commands.has(command.id))
      return { kind: "duplicate", result: this.commands.get(command.id) }
    const lease = this.leases.get(`app/${stream}`)
    if (!lease || lease.owner === undefined || lease.epoch !== epoch) return { kind: "fenced" }
    const known = this.streams.get(stream) ?? []
    if (known.length !== expected) return { kind: "conflict" }
    const stored: StoredEvent[] = []
    for (const recorded of events) {
      const version = known.length + 1
      const previous = known.at(-1)?.hash ?? ""
      const event: StoredEvent = {
        ...recorded,
        stream,
        version,
        sequence: this.#all.length + 1,
        hash: linkHash(recorded, version, previous),
      }
      known.push(event)
      this.#all.push(event)
      stored.push(event)
    }
    this.streams.set(stream, known)
    if (command) this.commands.set(command.id, command.result)
    for (const notice of append.outbox)
      this.outbox.push({ id: ++this.#rows, notice, attempts: 0, dueAt: 0, dead: false })
    return { kind: "appended", stored }
  }

  read(stream: string, after: number): readonly StoredEvent[] {
    return (this.streams.get(stream) ?? []).slice(after)
  }

  feed(after: number, limit: number, stream?: string): readonly StoredEvent[] {
    const found = this.#all.slice(after)
    return (stream === undefined ? found : found.filter((event) => event.stream === stream)).slice(0, limit)
  }

  keepSnapshots(snapshots: readonly Snapshot[]): void {
    this.#writable()
    for (const snapshot of snapshots) {
      const known = this.#snapshots.get(snapshot.stream)
      if (!known || known.version <= snapshot.version) this.#snapshots.set(snapshot.stream, snapshot)
    }
  }

  snapshotsOf(streams: readonly string[]): readonly Snapshot[] {
    return streams.flatMap((stream) => this.#snapshots.get(stream) ?? [])
  }

  due(now: number, limit: number): readonly OutboxRow[] {
    return this.outbox.filter((row) => !row.dead && row.dueAt <= now).slice(0, limit)
  }

  done(id: number): void {
    this.#writable()
    const at = this.outbox.findIndex((row) => row.id === id)
    if (at >= 0) this.outbox.splice(at, 1)
  }

  failed(id: number, retryAt: number | undefined): void {
    this.#writable()
    const row = this.outbox.find((known) => known.id === id)
    if (!row) return
    row.attempts++
    if (retryAt === undefined) row.dead = true
    else row.dueAt = retryAt
  }

  acquire(key: string, owner: string, ttl: number): Lease | undefined {
    this.#writable()
    const row = this.leases.get(key)
    if (row && row.owner !== undefined && row.owner !== owner && row.expiresAt > this.#now()) return undefined
    const epoch = (row?.epoch ?? 0) + 1
    this.leases.set(key, { owner, epoch, expiresAt: this.#now() + ttl })
    return { key, epoch }
  }

  renew(lease: Lease, owner: string, ttl: number): boolean {
    this.#writable()
    const row = this.leases.get(lease.key)
    if (row?.epoch !== lease.epoch || row.owner !== owner) return false
    row.expiresAt = this.#now() + ttl
    return true
  }

  takeLeases(keys: readonly string[], owner: string): readonly Lease[] {
    this.#writable()
    for (const [key, row] of this.leases)
      if (key.startsWith(presenceOf("")) && row.owner !== undefined && row.expiresAt <= this.#now())
        Object.assign(row, { owner: undefined, epoch: row.epoch + 1, expiresAt: 0 })
    return keys.flatMap((key) => {
      const row = this.leases.get(key)
      if (row && row.owner !== owner && this.held(row)) return []
      const epoch = 1 + (row?.epoch ?? 0)
      this.leases.set(key, { owner, epoch, expiresAt: Number.POSITIVE_INFINITY })
      return [{ key, epoch }]
    })
  }

  openLeases(owner: string, own = false): readonly string[] {
    return [...this.leases].flatMap(([key, row]) =>
      key.startsWith("app/") && (row.owner === owner ? own : !this.held(row)) ? [key] : [],
    )
  }

  /** Whether its owner is there. */
  held(row: LeaseRow): boolean {
    if (row.owner === undefined || row.expiresAt <= this.#now()) return false
    const presence = this.leases.get(presenceOf(row.owner))
    return presence?.owner !== undefined && presence.expiresAt > this.#now()
  }

  release(lease: Lease, owner: string): void {
    this.#writable()
    const row = this.leases.get(lease.key)
    if (row?.epoch !== lease.epoch || row.owner !== owner) return
    row.owner = undefined
    row.expiresAt = 0
  }

  addInterval(by: Writer, rollout: number, interval: Interval): "kept" | "fenced" {
    this.#writable()
    if (!this.#holds(by)) return "fenced"
    const key = `${by.app}/${rollout}`
    const known = this.#intervals.get(key) ?? []
    const same = known.some(
      (old) => old.stage === interval.stage && old.step === interval.step && old.from === interval.from,
    )
    if (!same) this.#intervals.set(key, [...known, interval])
    return "kept"
  }

  intervals(app: string, rollout: number, stage: string | undefined): readonly Interval[] {
    const known = this.#intervals.get(`${app}/${rollout}`) ?? []
    return stage === undefined ? known : known.filter((interval) => interval.stage === stage)
  }

  put(by: Writer, bundle: unknown): { readonly hash: string } | "fenced" {
    this.#writable()
    const digest = new Digest()
    digest.add(JSON.stringify(bundle))
    if (!this.#holds(by)) return "fenced"
    this.#bundles.set(digest.hex(), bundle)
    return { hash: digest.hex() }
  }

  /** What is measured is fenced as what is decided. */
  #holds({ app, epoch }: Writer): boolean {
    const row = this.leases.get(`app/${app}`)
    return row?.owner !== undefined && row.epoch === epoch
  }

  get(hash: string): unknown {
    return this.#bundles.get(hash)
  }

  leave(order: Order): void {
    this.#writable()
    if (!this.#orders.has(order.id)) this.#orders.set(order.id, { order, answer: undefined })
  }

  waiting(limit: number): readonly Order[] {
    const open = [...this.#orders.values()].filter(({ answer }) => answer === undefined)
    return open.slice(0, limit).map(({ order }) => order)
  }

  answer(id: string, answer: unknown): void {
    const known = this.#orders.get(id)
    if (known) known.answer = answer
  }

  take(id: string): unknown {
    const answer = this.#orders.get(id)?.answer
    if (answer !== undefined) this.#orders.delete(id)
    return answer
  }

  #writable(): void {
    if (this.problem !== undefined) throw new Error(this.problem)
  }
}

/** The hash of an event in its chain; cheap, and any edit still breaks it. */
export function linkHash(
  recorded: Pick<StoredEvent, "at" | "by" | "because" | "event">,
  version: number,
  previous: string,
): string {
  const { at, by, because, event } = recorded
  const digest = new Digest()
  digest.add(`${version}|${at}|${by}|${because}|${previous}|`)
  digest.add(event.type === "commit-found" ? event.commit : JSON.stringify(event))
  return digest.hex()
}
