import { mkdir } from "node:fs/promises"
import { join } from "node:path"
import type { AppName, Digest } from "../core/model/ids.ts"
import type { InstanceSpec } from "../core/pipeline/effects.ts"
import { readJson, writeAtomically } from "./files.ts"

type Remembered = {
  /** The highest epoch seen, by application. Order inside an epoch matters to the router alone, which checks it. */
  readonly epochs: Readonly<Record<string, number>>
  readonly released: readonly string[]
  /** Started once; never again under the same id. */
  readonly started: readonly string[]
  readonly specs: Readonly<Record<string, { readonly app: string; readonly spec: InstanceSpec }>>
  /** Whose orders built or brought an artifact: only they say when it may go. By digest. */
  readonly owners: Readonly<Record<Digest, readonly AppName[]>>
}

const nothing: Remembered = { epochs: {}, released: [], started: [], specs: {}, owners: {} }
const mostIds = 10_000

/** What the agent must never forget, on disk before it counts. */
export class Memory {
  readonly #file: string
  #now: Remembered
  #writing: Promise<void> = Promise.resolve()

  private constructor(file: string, now: Remembered) {
    this.#file = file
    this.#now = now
  }

  static async open(dir: string): Promise<Memory> {
    await mkdir(dir, { recursive: true })
    const file = join(dir, "agent.json")
    return new Memory(file, { ...nothing, ...((await readJson(file)) as Partial<Remembered> | undefined) })
  }

  /** Why an order of this epoch must be refused; undefined when it may be carried out. */
  stale(app: string, epoch: number): string | undefined {
    const seen = this.#now.epochs[app] ?? 0
    if (epoch >= seen) return undefined
    return (
      `stale: epoch ${epoch} after ${seen}; another control plane holds ${app} now. Where there is none, ` +
      "the store was begun anew or copied back by hand: move it by immunity backup and immunity restore"
    )
  }

  /** A new epoch is on disk before it is answered. */
  async fence(app: string, epoch: number): Promise<void> {
    if (this.#now.epochs[app] === epoch) return
    this.#now = { ...this.#now, epochs: { ...this.#now.epochs, [app]: epoch } }
    await this.#save()
  }

  wasStarted(id: string): boolean {
    return this.#now.started.includes(id)
  }

  /** Written before it is started: whatever runs is known to belong to somebody. */
  async starts(app: string, spec: InstanceSpec): Promise<void> {
    this.#now = { ...this.#now, specs: { ...this.#now.specs, [spec.id]: { app, spec } } }
    await this.#save()
  }

  async started(id: string): Promise<void> {
    if (this.wasStarted(id)) return
    this.#now = { ...this.#now, started: [...this.#now.started, id].slice(-mostIds) }
    await this.#save()
  }

  spec(id: string): { readonly app: string; readonly spec: InstanceSpec } | undefined {
    return this.#now.specs[id]
  }

  wasReleased(id: string): boolean {
    return this.#now.released.includes(id)
  }

  async released(id: string): Promise<void> {
    if (this.wasReleased(id)) return
    this.#now = { ...this.#now, released: [...this.#now.released, id].slice(-mostIds) }
    await this.#save()
  }

  async gone(id: string): Promise<void> {
    const { [id]: _, ...specs } = this.#now.specs
    this.#now = { ...this.#now, specs }
    await this.#save()
    // Also when a crash kept it from being written down: it ran.
    await this.started(id)
  }

  /** What is recorded runs from it, or is compared with it. */
  isUsed(digest: Digest): boolean {
    return Object.values(this.#now.specs).some(({ spec }) => spec.digest === digest)
  }

  owners(digest: Digest): readonly AppName[] {
    return this.#now.owners[digest] ?? []
  }

  ownedBy(app: AppName): readonly Digest[] {
    const all = Object.keys(this.#now.owners) as readonly Digest[]
    return all.filter((digest) => this.owners(digest).includes(app))
  }

  async owns(app: AppName, digests: readonly Digest[]): Promise<void> {
    const news = digests.filter((digest) => !this.owners(digest).includes(app))
    if (news.length === 0) return
    const more = Object.fromEntries(news.map((digest) => [digest, [...this.owners(digest), app]]))
    this.#now = { ...this.#now, owners: { ...this.#now.owners, ...more } }
    await this.#save()
  }

  async disowns(app: AppName, digest: Digest): Promise<void> {
    const { [digest]: known = [], ...others } = this.#now.owners
    const left = known.filter((owner) => owner !== app)
    this.#now = { ...this.#now, owners: left.length > 0 ? { ...others, [digest]: left } : others }
    await this.#save()
  }

  #save(): Promise<void> {
    this.#writing = this.#writing
      .catch(() => undefined)
      .then(() => writeAtomically(this.#file, JSON.stringify(this.#now)))
    return this.#writing
  }
}
