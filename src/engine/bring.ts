import { type Readable, Transform } from "node:stream"
import type { Digest, ServerName } from "../core/model/ids.ts"
import type { Duration } from "../core/model/time.ts"
import type { Agent, Ordered } from "../ports/agent.ts"
import type { Clock } from "../ports/clock.ts"
import type { Fence } from "../ports/router.ts"
import { type Parts, sentence } from "./parts.ts"

/** For one artifact from one server to another, in milliseconds: until it is there, and without a byte on the way. */
const patience = 1_800_000
const stalled = 30_000
/** After the last byte: an image is unpacked and checked before it is answered for, or fetched from elsewhere. */
const settling = 300_000
const fetching = 900_000

type Needs = Pick<Parts, "agents" | "pace" | "clock" | "log">

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
  { agents, pace, clock, log }: Needs,
  fence: () => Fence,
  digest: Digest,
  to: Agent,
  signal: AbortSignal,
): Promise<void> {
  const asked = () => AbortSignal.any([signal, AbortSignal.timeout(pace.call)])
  if (await to.hasArtifact?.(digest, asked())) return
  const from = await whoHas(agents, digest, to.server, asked)
  if (!from)
    throw new Error(
      `no server that answers has the artifact ${digest.slice(0, 19)}; it is built again by a new commit`,
    )
  const lean = await journey(clock, fence, digest, { from, to, lean: true }, signal)
  if (lean === undefined || lean.kind === "done") return
  if (lean.code !== "not-fetched") throw new Error(lean.because)
  log.warn({ server: to.server, digest }, `${lean.because}; it is sent by ${from.server} instead`)
  try {
    const whole = await journey(clock, fence, digest, { from, to, lean: false }, signal)
    if (whole?.kind === "refused") throw new Error(whole.because)
  } catch (error) {
    throw new Error(`${lean.because}; and from ${from.server}: ${sentence(error)}`)
  }
}

async function journey(
  clock: Clock,
  fence: () => Fence,
  digest: Digest,
  { from, to, lean }: { readonly from: Agent; readonly to: Agent; readonly lean: boolean },
  signal: AbortSignal,
): Promise<Ordered | undefined> {
  const ending = new AbortController()
  const limit = AbortSignal.any([signal, ending.signal, AbortSignal.timeout(patience)])
  const tar = await from.getArtifact?.(digest, limit, lean)
  if (!tar) throw new Error(`artifacts of ${from.server} do not travel`)
  const watched = watch(clock, tar, lean ? fetching : settling, (because) => ending.abort(new Error(because)))
  try {
    return await to.putArtifact?.(fence(), digest, watched.tar, limit)
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
function watch(clock: Clock, tar: Readable, settled: Duration, stop: (because: string) => void) {
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
      if (isThere && late > settled) stop(`it was there and not answered for in ${settled / 1_000} s`)
    }
  }
  void look()
  const end = () => {
    isOver = true
  }
  return { tar: tar.pipe(meter), end }
}
