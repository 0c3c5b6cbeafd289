import { type Readable, Transform } from "node:stream"
import type { Digest, ServerName } from "../core/model/ids.ts"
import type { Agent } from "../ports/agent.ts"
import type { Clock } from "../ports/clock.ts"
import type { Fence } from "../ports/router.ts"
import type { Parts } from "./parts.ts"

/** For one artifact from one server to another, in milliseconds: until it is there, and without a byte on the way. */
const patience = 1_800_000
const stalled = 30_000
/** After the last byte: an image is unpacked and checked before it is answered for. */
const settling = 300_000

type Needs = Pick<Parts, "agents" | "pace" | "clock">

/**
 * Sees to it that a server has an artifact before something is started from it: an artifact is on the server that
 * built it, and comes to others from one that has it, through here, as it comes. What many wait for at one server
 * travels once. A journey that broke off is begun again by the next turn.
 */
export class Bringing {
  readonly #needs: Needs
  readonly #underWay = new Map<string, Promise<void>>()

  constructor(needs: Needs) {
    this.#needs = needs
  }

  /** Does nothing where there is one server. Throws, with a sentence, when nobody who answers has it. */
  async bring(fence: () => Fence, digest: Digest, to: Agent, signal: AbortSignal): Promise<void> {
    if (this.#needs.agents.size === 1 || !to.putArtifact) return
    const journey = `${to.server} ${digest}`
    const known = this.#underWay.get(journey)
    if (known) return known
    const mine = bring(this.#needs, fence, digest, to, signal).finally(() => this.#underWay.delete(journey))
    this.#underWay.set(journey, mine)
    return mine
  }
}

async function bring(
  { agents, pace, clock }: Needs,
  fence: () => Fence,
  digest: Digest,
  to: Agent,
  signal: AbortSignal,
): Promise<void> {
  const asked = () => AbortSignal.any([signal, AbortSignal.timeout(pace.call)])
  if (await to.hasArtifact?.(digest, asked())) return
  const from = await whoHas(agents, digest, to.server, asked)
  const ending = new AbortController()
  const limit = AbortSignal.any([signal, ending.signal, AbortSignal.timeout(patience)])
  const tar = await from?.getArtifact?.(digest, limit)
  if (!tar)
    throw new Error(
      `no server that answers has the artifact ${digest.slice(0, 19)}; it is built again by a new commit`,
    )
  const watched = watch(clock, tar, (because) => ending.abort(new Error(because)))
  try {
    const put = await to.putArtifact?.(fence(), digest, watched.tar, limit)
    if (put?.kind === "refused") throw new Error(put.because)
  } finally {
    watched.end()
    tar.destroy()
  }
}

async function whoHas(
  agents: Needs["agents"],
  digest: Digest,
  butNot: ServerName,
  asked: () => AbortSignal,
): Promise<Agent | undefined> {
  const others = [...agents.values()].filter(({ server }) => server !== butNot)
  const have = await Promise.all(
    others.map((agent) => agent.hasArtifact?.(digest, asked()).catch(() => false) ?? false),
  )
  return others.find((_, at) => have[at])
}

/** The same bytes; `stop` is called with a sentence when none has come through for too long. */
function watch(clock: Clock, tar: Readable, stop: (because: string) => void) {
  let [last, isThere, isOver] = [clock.mono(), false, false]
  const meter = new Transform({
    transform(chunk: Uint8Array, _encoding, done) {
      last = clock.mono()
      done(null, chunk)
    },
    flush(done) {
      last = clock.mono()
      isThere = true
      done()
    },
  })
  tar.on("error", (error) => meter.destroy(error))
  const look = async (): Promise<void> => {
    while (!isOver) {
      await clock.sleep(1_000)
      const late = clock.mono() - last
      if (!isThere && late > stalled) stop(`nothing of it came for ${stalled / 1_000} s; it is tried again`)
      if (isThere && late > settling) stop(`it was there and not answered for in ${settling / 1_000} s`)
    }
  }
  void look()
  const end = () => {
    isOver = true
  }
  return { tar: tar.pipe(meter), end }
}
