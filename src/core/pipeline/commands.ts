import { commitOf } from "../model/configuration.ts"
import { shortCommit } from "../model/ids.ts"
import type { Duration } from "../model/time.ts"
import { unreachable } from "../model/unreachable.ts"
import { goOn } from "../rollout/advance.ts"
import { halt, pastReturn } from "../rollout/hold.ts"
import { placeToGo, retreat } from "../rollout/retreat.ts"
import { type Rollout, terminal } from "../rollout/rollout.ts"
import { acceptAnswers, withdrawAnswers } from "./accept-answers.ts"
import { refusedAsBehind } from "./ahead.ts"
import type { Region, Release, Source } from "./application.ts"
import { queue } from "./climb.ts"
import { configure, restoreConfiguration } from "./configure.ts"
import { type Draft, type Refusal, refuse } from "./draft.ts"
import { orderDrill } from "./drill.ts"
import { blocker, blockerOf } from "./guards.ts"
import type { Bound, Command } from "./input.ts"
import { migrationsBetween, noWayBack } from "./migrations.ts"
import { newestRelease } from "./newest-release.ts"
import { artifactGone } from "./pinned.ts"
import { notYetGone, refusedAsRemoved, removeApp } from "./remove.ts"

/** Obeys a person, or says which rule stands in the way. A refusal changes nothing. */
export function obey(draft: Draft, command: Command, by: string): Refusal | undefined {
  if ("reason" in command && command.type !== "deploy" && command.reason.trim() === "") {
    return refuse("reason-missing", `${command.type} needs a reason: say why in one sentence`)
  }
  const letsItCount = draft.state.ahead && command.type === "resume" && command.rollout === undefined
  const behind = letsItCount ? undefined : refusedAsBehind(draft.state)
  if (behind) return behind
  if (command.type !== "add-app" && !letsItCount) {
    const removed = refusedAsRemoved(draft.state)
    if (removed) return removed
  }
  const startsSomething = ["deploy", "approve", "retry"].includes(command.type)
  if (startsSomething && draft.limits.nothingNew) return refuse("no-room", draft.limits.nothingNew)
  switch (command.type) {
    case "add-app":
      return addApp(draft, command.source)
    case "remove-app":
      return removeApp(draft, command.reason)
    case "deploy":
      return deploy(draft, command.commit, command.reason, command.hotfix === true)
    case "override":
      return override(draft, command.region, command.duration, command.reason)
    case "approve":
      return withRollout(draft, command.rollout, (rollout) =>
        approve(draft, rollout, command.reason, command.bound, by),
      )
    case "reject":
      return withRollout(draft, command.rollout, (rollout) => reject(draft, rollout, command.reason))
    case "halt":
      return withRollout(draft, command.rollout, (rollout) => haltIt(draft, rollout, command.reason, by))
    case "rollback":
      return withRollout(draft, command.rollout, (rollout) => rollback(draft, rollout, command.reason))
    case "resume":
      return resume(draft, command.rollout, command.reason)
    case "pause":
      if (draft.state.paused) return refuse("wrong-phase", `paused already, by ${draft.state.paused.by}`)
      draft.add({ type: "app-paused", reason: command.reason }, command.reason)
      return undefined
    case "retry":
      return withRollout(draft, command.rollout, (rollout) => retry(draft, rollout, command.reason))
    case "accept-answers":
      return withRollout(draft, command.rollout, (rollout) =>
        acceptAnswers(draft, rollout, command.paths, command.reason),
      )
    case "withdraw-answers":
      return withRollout(draft, command.rollout, (rollout) =>
        withdrawAnswers(draft, rollout, command.paths, command.reason),
      )
    case "lock":
      return lockIt(draft, command.region, command.reason)
    case "unlock":
      return unlock(draft, command.lock, command.reason, command.preventive)
    case "configure":
      return configure(draft, command.changes, command.reason)
    case "restore-configuration":
      return restoreConfiguration(draft, command.version, command.reason)
    case "drill":
      return orderDrill(draft, command.region, command.reason)
    case "release-pools":
      return releasePools(draft, command.region, command.reason)
    case "replace-instance":
      return replaceInstance(draft, command.instance, command.reason)
    default:
      return unreachable(command)
  }
}

/** An address or branch that was mistyped may be given anew: until a commit was read nothing rests on it. */
function addApp(draft: Draft, source: Source): Refusal | undefined {
  const { removed, source: known } = draft.state
  const leaving = notYetGone(draft.state)
  if (leaving) return leaving
  const same = known.url === source.url && known.branch === source.branch
  if (known.url !== "" && (same || draft.state.commits.length > 0))
    return refuse("wrong-phase", `${draft.state.app} was added already, from ${known.url}`)
  draft.add(
    { type: "app-added", source },
    removed ? "added again" : known.url === "" ? "added" : `instead of ${known.url}: no commit was read yet`,
  )
  return undefined
}

function withRollout(
  draft: Draft,
  number: number,
  then: (rollout: Rollout) => Refusal | undefined,
): Refusal | undefined {
  const rollout = draft.rollout(number)
  return rollout ? then(rollout) : refuse("unknown", `${draft.state.app} has no rollout ${number}`)
}

function deploy(
  draft: Draft,
  wanted: string | undefined,
  reason: string,
  hotfix: boolean,
): Refusal | undefined {
  const { state } = draft
  const commit =
    wanted === undefined ? state.commits.at(-1) : state.commits.find((known) => known.id.startsWith(wanted))
  if (!commit)
    return refuse(
      "unknown",
      wanted === undefined
        ? `no commit of ${state.source.branch} was read yet; push one, or see what keeps it from being read: immunity status ${state.app}`
        : `${wanted} is not known on ${state.source.branch}; push it first`,
    )
  const release = newestRelease(state, ({ id }) => commitOf(id) === commit.id)
  const blockedRelease = state.quarantine[release?.id ?? commit.id]
  if (blockedRelease) {
    const name = shortCommit(release?.id ?? commit.id)
    return refuse("quarantined", `${name} is quarantined: ${blockedRelease.because}. Use retry with a reason`)
  }
  if (commit.state.name === "refused")
    return refuse("wrong-phase", `its immunity.yaml is not valid: ${commit.state.problems[0] ?? ""}`)
  const gone = commit.state.name === "built" && release && artifactGone(state, release)
  if (gone) return refuse("not-allowed", gone)
  if (hotfix) {
    if (reason.trim() === "")
      return refuse("reason-missing", "a hotfix needs a reason: say why it cannot wait")
    const refused = makeWay(draft, commit.id, reason)
    if (refused) return refused
  } else if (commit.state.name === "built" && serves(draft, commit.id)) return stayWith(draft, commit.id)
  if (commit.state.name === "building")
    return hotfix ? undefined : refuse("wrong-phase", "it is being built now")
  if (commit.state.name !== "built") {
    draft.add({ type: "commit-chosen", commit: commit.id }, "chosen by a person")
    return undefined
  }
  const first = state.regions[0]
  if (!release || !first) return refuse("unknown", "nothing of that commit was built")
  const blocked = blocker(state, first.name, release.policy.freeze, draft.at)
  if (blocked) return refuse(blocked.why, blocked.because)
  // What makes way for a hotfix takes a moment; the newest release follows by itself.
  if (hotfix && draft.region(first.name)?.active !== undefined) return undefined
  if (first.active !== undefined)
    return refuse("wrong-phase", `${first.name} is busy with rollout ${first.active}`)
  const older = olderThanContract(draft, first, release)
  if (older) return older
  queue(draft, first, release, 0)
  return undefined
}

/** An older release is no way around a contract step that lies between. */
function olderThanContract(draft: Draft, region: Region, release: Release): Refusal | undefined {
  const running = region.stable === undefined ? undefined : draft.rollout(region.stable)?.release
  const contract =
    running === undefined ? [] : (migrationsBetween(draft.state, release.id, running)?.contract ?? [])
  if (running === undefined || contract.length === 0) return undefined
  return refuse(
    "not-allowed",
    `${shortCommit(running)} took away what ${shortCommit(release.id)} may need (contract step ${contract.join(", ")}): fix forward with a new commit`,
  )
}

/** The rollouts of other releases that go forward just now. */
const othersUnderWay = (draft: Draft, release: string): readonly Rollout[] =>
  draft.state.regions.flatMap((region) => {
    const rollout = region.active === undefined ? undefined : draft.rollout(region.active)
    const leaving = rollout?.phase.name === "aborting" || rollout?.phase.name === "rolling-back"
    return rollout && !leaving && rollout.release !== release ? [rollout] : []
  })

/** The releases that a region serves while another one is on its way there. */
const serves = (draft: Draft, release: string): boolean =>
  othersUnderWay(draft, release).some((rollout) => servedIn(draft, rollout) === release)

const servedIn = (draft: Draft, { region }: Rollout): string | undefined => {
  const stable = draft.region(region)?.stable
  return stable === undefined ? undefined : draft.rollout(stable)?.release
}

/** Who asks again for what serves wants to keep it: whatever would replace it goes back. */
function stayWith(draft: Draft, release: string): Refusal | undefined {
  for (const rollout of othersUnderWay(draft, release)) {
    if (servedIn(draft, rollout) !== release) continue
    const refused = rollback(draft, rollout, `${release.slice(0, 7)} serves here and was asked for again`)
    if (refused) return refused
  }
  return undefined
}

/** A hotfix meets what serves, not a canary: what is under way leaves, and is neither locked nor accused. */
function makeWay(draft: Draft, release: string, reason: string): Refusal | undefined {
  const because = `it makes way for the hotfix ${release.slice(0, 7)}: ${reason}`
  const leaving = othersUnderWay(draft, release)
  const stuck = leaving.find((rollout) => rollout.hadTraffic && placeToGo(draft.state, rollout) === undefined)
  if (stuck)
    return refuse(
      "not-allowed",
      `rollout ${stuck.number} has users and nothing to go back to; it cannot make way`,
    )
  const done = leaving.find((rollout) => pastReturn(draft, rollout))
  if (done)
    return refuse("not-allowed", `what rollout ${done.number} changed cannot be taken back; let it end first`)
  for (const rollout of leaving) {
    if (rollout.phase.name === "queued")
      draft.add({ type: "rollout-cancelled", rollout: rollout.number, because }, because)
    else
      draft.add(
        {
          type: "abort-started",
          rollout: rollout.number,
          because,
          to: placeToGo(draft.state, rollout),
          then: "cancelled",
          automatic: false,
        },
        because,
      )
  }
  return undefined
}

const longestOverride: Duration = 4 * 3_600_000

function override(
  draft: Draft,
  region: string | undefined,
  duration: Duration,
  reason: string,
): Refusal | undefined {
  if (region !== undefined && !draft.region(region))
    return refuse("unknown", `${draft.state.app} has no region ${region}`)
  if (!(duration > 0 && duration <= longestOverride))
    return refuse("not-allowed", "an override lasts up to four hours; say how long this one")
  draft.add({ type: "override-granted", region, until: draft.at + duration, reason }, reason)
  return undefined
}

function approve(
  draft: Draft,
  rollout: Rollout,
  reason: string,
  bound: Bound,
  by: string,
): Refusal | undefined {
  const { phase } = rollout
  const release = draft.state.releases[rollout.release]
  if (bound.digest && bound.digest !== release?.digest)
    return refuse("stale", "the artifact is not the one that you saw; look again")
  if (phase.name === "holding") {
    if (bound.evidence && bound.evidence !== rollout.lastLook?.evidence) {
      return refuse("stale", "there is newer evidence than what you saw; look again")
    }
    return applyProposal(draft, rollout, reason)
  }
  if (phase.name !== "queued" || !phase.gate)
    return refuse("wrong-phase", `rollout ${rollout.number} waits for no approval; it is ${phase.name}`)
  if (rollout.approval) return refuse("wrong-phase", `approved already by ${rollout.approval.by}`)
  if (bound.evidence && bound.evidence !== phase.gate.evidence)
    return refuse("stale", "the evidence changed since you looked; look again")
  if (phase.gate.notAuthor && release && wrote(release, by)) {
    return refuse(
      "not-allowed",
      "who wrote or configured a release may not approve it here; ask somebody else",
    )
  }
  const blocked = blockerOf(draft.state, rollout, draft.at)
  if (blocked?.why === "locked") return refuse("locked", blocked.because)
  draft.add({ type: "gate-approved", rollout: rollout.number, reason }, reason)
  return undefined
}

const wrote = (release: Release, who: string): boolean =>
  [release.author, release.email, ...release.configuredBy].includes(who)

function applyProposal(draft: Draft, rollout: Rollout, reason: string): Refusal | undefined {
  if (rollout.phase.name !== "holding" || rollout.phase.hold.proposal === undefined) {
    return refuse("wrong-phase", `rollout ${rollout.number} holds for a reason that no approval can lift`)
  }
  const { proposal, because } = rollout.phase.hold
  if (proposal === "rollback") {
    retreat(draft, rollout, { because, automatic: false, judged: true, evidence: rollout.lastLook?.evidence })
    return undefined
  }
  if (proposal === "halt") {
    halt(draft, rollout, because, rollout.lastLook?.evidence)
    return undefined
  }
  const blocked = blockerOf(draft.state, rollout, draft.at)
  if (blocked) return refuse(blocked.why, blocked.because)
  draft.add({ type: "hold-ended", rollout: rollout.number, because: reason }, reason)
  const now = draft.rollout(rollout.number)
  if (now) goOn(draft, now)
  return undefined
}

function reject(draft: Draft, rollout: Rollout, reason: string): Refusal | undefined {
  if (rollout.phase.name === "queued") {
    draft.add({ type: "gate-rejected", rollout: rollout.number, reason }, reason)
    return undefined
  }
  if (rollout.phase.name === "holding" && rollout.phase.hold.proposal !== undefined) {
    return rollback(draft, rollout, reason)
  }
  return refuse("wrong-phase", `rollout ${rollout.number} asks for nothing; it is ${rollout.phase.name}`)
}

function haltIt(draft: Draft, rollout: Rollout, reason: string, by: string): Refusal | undefined {
  const { phase } = rollout
  if (phase.name === "queued") {
    draft.add({ type: "rollout-cancelled", rollout: rollout.number, because: reason }, reason)
    return undefined
  }
  if (phase.name === "aborting" || phase.name === "rolling-back")
    return refuse("wrong-phase", "it is going back already, and that wins")
  if (terminal(phase)) return refuse("wrong-phase", `rollout ${rollout.number} is over: ${phase.name}`)
  halt(draft, rollout, `halted by ${by}: ${reason}`, rollout.lastLook?.evidence)
  return undefined
}

function rollback(draft: Draft, rollout: Rollout, reason: string): Refusal | undefined {
  const { phase } = rollout
  if (phase.name === "queued") return haltIt(draft, rollout, reason, "a person")
  if (phase.name === "aborting" || phase.name === "rolling-back") return undefined
  const serving = draft.region(rollout.region)?.stable === rollout.number
  if (terminal(phase) && !(phase.name === "succeeded" && serving)) {
    return refuse(
      "wrong-phase",
      `rollout ${rollout.number} is over (${phase.name}) and serves no users; there is nothing to take back`,
    )
  }
  if (terminal(phase) && draft.region(rollout.region)?.active !== undefined) {
    return refuse(
      "wrong-phase",
      `${rollout.region} is busy with rollout ${draft.region(rollout.region)?.active}; halt or roll that back first`,
    )
  }
  const forward = noWayBack(draft.state, rollout, draft.at)
  if (forward) return refuse("not-allowed", forward)
  if (rollout.hadTraffic && placeToGo(draft.state, rollout) === undefined) {
    return refuse("not-allowed", "there is no older release kept here to go back to")
  }
  retreat(draft, rollout, {
    because: reason,
    automatic: false,
    judged: rollout.hadTraffic,
    evidence: rollout.lastLook?.evidence,
  })
  return undefined
}

function resume(draft: Draft, number: number | undefined, reason: string): Refusal | undefined {
  if (number === undefined) {
    if (!draft.state.paused && !draft.state.ahead)
      return refuse("wrong-phase", `${draft.state.app} is not paused`)
    draft.add({ type: "app-resumed", reason }, reason)
    return undefined
  }
  return withRollout(draft, number, (rollout) => {
    if (rollout.phase.name !== "holding")
      return refuse("wrong-phase", `rollout ${number} does not hold; it is ${rollout.phase.name}`)
    const blocked = blockerOf(draft.state, rollout, draft.at)
    if (blocked) return refuse(blocked.why, `${blocked.because}. Release that first`)
    draft.add({ type: "hold-ended", rollout: number, because: reason }, reason)
    return undefined
  })
}

function retry(draft: Draft, rollout: Rollout, reason: string): Refusal | undefined {
  const { state } = draft
  if (!terminal(rollout.phase) || rollout.phase.name === "succeeded") {
    return refuse(
      "wrong-phase",
      `rollout ${rollout.number} is ${rollout.phase.name}; only one that ended badly is retried`,
    )
  }
  const region = draft.region(rollout.region)
  const release = state.releases[rollout.release]
  if (!region || !release) return refuse("unknown", "its region or its artifact is gone")
  if (region.active !== undefined)
    return refuse("wrong-phase", `${region.name} is busy with rollout ${region.active}`)
  const blocked = blockerOf(state, rollout, draft.at)
  if (blocked) return refuse(blocked.why, blocked.because)
  const gone = artifactGone(state, release)
  if (gone) return refuse("not-allowed", gone)
  if (state.quarantine[release.id])
    draft.add({ type: "quarantine-lifted", release: release.id, reason }, reason)
  const index = state.regions.findIndex((known) => known.name === region.name)
  queue(draft, region, release, index)
  return undefined
}

function lockIt(draft: Draft, region: string | undefined, reason: string): Refusal | undefined {
  if (region !== undefined && !draft.region(region)) {
    return refuse(
      "unknown",
      `${draft.state.app} has no region ${region}; it has ${draft.state.regions.map((known) => known.name).join(", ")}`,
    )
  }
  draft.add(
    {
      type: "locked",
      lock: {
        id: draft.state.nextLock,
        scope: region === undefined ? { kind: "app" } : { kind: "region", region },
        because: reason,
        rollout: undefined,
        evidence: undefined,
      },
    },
    reason,
  )
  return undefined
}

function unlock(
  draft: Draft,
  id: number,
  reason: string,
  preventive: string | undefined,
): Refusal | undefined {
  const held = draft.state.locks.find((lock) => lock.id === id)
  if (!held) return refuse("unknown", `${draft.state.app} has no lock ${id}`)
  const rollout = held.rollout === undefined ? undefined : draft.rollout(held.rollout)
  if (rollout?.policy.lock.preventiveAction && !preventive?.trim()) {
    return refuse("reason-missing", "say also what will prevent this next time (preventive action)")
  }
  draft.add({ type: "unlocked", lock: id, reason, preventive }, reason)
  return undefined
}

function releasePools(draft: Draft, name: string, reason: string): Refusal | undefined {
  const region = draft.region(name)
  if (!region) return refuse("unknown", `${draft.state.app} has no region ${name}`)
  if (region.kept.length === 0) return refuse("wrong-phase", `${name} keeps no old pool`)
  const leaving = region.active === undefined ? undefined : draft.rollout(region.active)
  if (leaving?.phase.name === "aborting")
    return refuse("wrong-phase", `rollout ${leaving.number} goes back just now; let it end first`)
  draft.add({ type: "pools-released", region: name }, reason)
  return undefined
}

function replaceInstance(draft: Draft, id: string, reason: string): Refusal | undefined {
  for (const region of draft.state.regions) {
    const instance = region.instances[id]
    if (!instance) continue
    if (instance.retired)
      return refuse("wrong-phase", `${id} is on its way out already: ${instance.retired.because}`)
    draft.add({ type: "instance-condemned", region: region.name, instance: id, because: reason }, reason)
    return undefined
  }
  return refuse("unknown", `${draft.state.app} runs no instance ${id}`)
}
