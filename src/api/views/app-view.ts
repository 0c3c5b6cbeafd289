import { commitOf } from "../../core/model/configuration.ts"
import { shortCommit } from "../../core/model/ids.ts"
import { howToGoOn, whyBehind } from "../../core/pipeline/ahead.ts"
import type { Application, Commit, Region } from "../../core/pipeline/application.ts"
import { nextDrillAt } from "../../core/pipeline/drill.ts"
import { newestRelease } from "../../core/pipeline/newest-release.ts"
import { terminal } from "../../core/rollout/rollout.ts"
import type { AppSummary, AppView, CommitView, LockView, RegionView, Tone } from "../contract/views.ts"
import { costNow } from "./cost.ts"
import { drillAttention, drillView, drillViews, lastDrill, resultView } from "./drills.ts"
import { stuckNewest } from "./newest-commit.ts"
import { isDown, outageOf } from "./outage.ts"
import { removalView, removedView, standingRemoved } from "./removal.ts"
import { pausedBecause, resumeView } from "./resume.ts"
import { summaryOf } from "./rollout-view.ts"
import { attentionOf, strengthView } from "./strength.ts"

/** One application on one page: the sentence first, then where everything is. */
export function appView(app: Application, version: number, problems: ReadonlyMap<string, string>): AppView {
  const summary = appSummary(app, problems)
  return {
    ...summary,
    version,
    source: app.source.url,
    branch: app.source.branch,
    paused: pausedBecause(app),
    behind: app.ahead && whyBehind(app.ahead),
    resume: resumeView(app),
    cost: costNow(app),
    drill: drillView(app),
    drills: drillViews(app),
    locks: app.locks.map(lockView),
    regions: app.regions.map((region) => regionView(app, region)),
    commits: app.commits
      .slice(-20)
      .reverse()
      .map((commit) => commitView(app, commit)),
    rollouts: Object.values(app.rollouts)
      .sort((a, b) => b.number - a.number)
      .slice(0, 20)
      .map((rollout) => summaryOf(app, rollout)),
    quarantined: Object.entries(app.quarantine).map(([commit, { because }]) => ({
      commit: shortCommit(commit),
      because,
    })),
    problems: [...problems].map(([part, problem]) => ({ part, problem })),
    removal: removalView(app, problems),
    removed: removedView(app),
  }
}

export function appSummary(app: Application, problems: ReadonlyMap<string, string>): AppSummary {
  return { app: app.app, ...appStands(app), ...standing(app, problems) }
}

/** Where it stands and what a person does about it: what is most urgent comes first, all else beside it. `problems`: by part. */
function standing(
  app: Application,
  problems: ReadonlyMap<string, string>,
): Pick<AppSummary, "sentence" | "todo"> {
  if (app.ahead)
    return {
      sentence: `Nothing is changed: ${whyBehind(app.ahead)}.`,
      todo: `${howToGoOn(app)}. Shown here is what the journal says.`,
    }
  if (app.removed) return standingRemoved(app, app.removed, problems)
  const outage = outageOf(app, problems)
  if (outage) return outage
  const unread = problems.get("source")
  const lock = app.locks[0]
  const asking = active(app).find((rollout) => summaryOf(app, rollout).asks)
  const moving = active(app)[0]
  const runs = inProduction(app)
  const stuck = stuckNewest(app)
  // A lock and a rollout say themselves what was blocked.
  const besides = stuck && !stuck.blocked ? ` Besides, ${stuck.sentence}. ${stuck.todo}` : ""
  if (lock)
    return {
      sentence: `Locked: ${lock.because}`,
      todo: `Users are safe: ${runs}. Look at the change, then unlock with a reason.${besides}`,
    }
  if (asking)
    return {
      sentence: summaryOf(app, asking).sentence,
      todo: `A person must decide about rollout ${asking.number} at ${asking.region}.${besides}`,
    }
  if (moving)
    return {
      sentence: summaryOf(app, moving).sentence,
      todo: besides ? `About this rollout you need to do nothing.${besides}` : nothingToDo,
    }
  if (app.paused)
    return {
      sentence: `Paused by ${app.paused.by}: ${app.paused.reason.replace(/\.$/, "")}; ${runs}.`,
      todo: `Nothing new starts until somebody resumes it: immunity resume ${app.app} --reason WHY${besides && `.${besides}`}`,
    }
  const weak = needsAttention(app)
  if (weak)
    return {
      sentence: `A rehearsal found something: ${weak}.`,
      todo: `See why (immunity why, immunity logs, immunity servers), before a real failure asks.${besides}`,
    }
  if (stuck) return { sentence: `Nothing moves; ${runs}, and ${stuck.sentence}.`, todo: stuck.todo }
  if (unread !== undefined)
    return {
      sentence: `Nothing moves; ${runs}, and its repository cannot be read: ${unread.replace(/\.$/, "")}.`,
      todo:
        app.commits.length > 0
          ? "What runs stays as it is; new commits come when it can be read again."
          : `Mend that, or give another address: immunity app add URL --name ${app.app}`,
    }
  if (app.commits.length === 0)
    return { sentence: `No commit of ${app.source.branch} was read yet; ${runs}.`, todo: nothingToDo }
  return { sentence: `Nothing moves; ${runs}.`, todo: nothingToDo }
}

const nothingToDo = "You need to do nothing right now."

/** Where no region counts as production, what the last one serves is told instead. */
function inProduction(app: Application): string {
  const last = app.regions.findLast(({ stable }) => stable !== undefined)
  if (last?.stable !== undefined && !app.regions.some(({ policy }) => policy.production)) {
    const serves = app.rollouts[last.stable]?.release
    if (serves) return `${shortCommit(serves)} serves at ${last.name}`
  }
  const serving = app.regions.find(({ policy, stable }) => policy.production && stable !== undefined)
  const release = serving?.stable === undefined ? undefined : app.rollouts[serving.stable]?.release
  return release ? `${shortCommit(release)} is in production` : "nothing is in production yet"
}

/** How it stands, in few words: what is most urgent, as in its sentence. Enough for lists of many. */
export function appStands(app: Application): Pick<AppSummary, "tone" | "word"> {
  if (app.ahead) return { tone: "wait", word: "Held" }
  if (app.removed)
    return app.removed.clearedAt === undefined
      ? { tone: "busy", word: "Being removed" }
      : { tone: "none", word: "Removed" }
  if (app.regions.some(isDown)) return { tone: "bad", word: "Down" }
  if (app.locks.length > 0) return { tone: "bad", word: "Locked" }
  const under = active(app)
  if (under.some((rollout) => summaryOf(app, rollout).asks))
    return { tone: asLoudAs(app, "wait"), word: "Waits for a person" }
  if (under.length > 0) return { tone: asLoudAs(app, "busy"), word: "Rolls out" }
  if (app.paused) return { tone: asLoudAs(app, "wait"), word: "Paused" }
  if (needsAttention(app) !== undefined) return { tone: "bad", word: "Rehearsal failed" }
  const stuck = stuckNewest(app)
  if (stuck) return { tone: "wait", word: stuck.word }
  return app.regions.some(({ policy, stable }) => policy.production && stable !== undefined)
    ? { tone: "ok", word: "Well" }
    : { tone: "none", word: "Idle" }
}

/** What a rehearsal found is red also beside a rollout that is told of first. */
const asLoudAs = (app: Application, tone: Tone): Tone => (needsAttention(app) === undefined ? tone : "bad")

/** What a rehearsal found, in a sentence. */
const needsAttention = (app: Application): string | undefined =>
  app.regions.flatMap((region) => attentionOf(app, region) ?? drillAttention(app, region) ?? [])[0]

const active = (app: Application) =>
  app.regions.flatMap((region) => {
    const rollout = region.active === undefined ? undefined : app.rollouts[region.active]
    return rollout && !terminal(rollout.phase) ? [rollout] : []
  })

function regionView(app: Application, region: Region): RegionView {
  const stable = region.stable === undefined ? undefined : app.rollouts[region.stable]
  const drilled = lastDrill(app, region)
  const running = region.active === undefined ? undefined : app.rollouts[region.active]
  const last = Object.values(app.rollouts)
    .filter((rollout) => rollout.region === region.name && terminal(rollout.phase))
    .sort((a, b) => (b.endedAt ?? 0) - (a.endedAt ?? 0))[0]
  return {
    name: region.name,
    production: region.policy.production,
    listen: region.policy.listen,
    serving: stable && {
      commit: shortCommit(stable.release),
      subject: app.releases[stable.release]?.subject ?? "",
      rollout: stable.number,
    },
    ready: Object.values(region.instances).filter(
      (instance) => instance.pool === region.stable && instance.state === "ready" && !instance.retired,
    ).length,
    size: region.policy.size,
    gate: region.policy.gate !== undefined,
    mirror: region.policy.mirror?.from,
    strength: strengthView(app, region),
    drill: drilled && resultView(drilled),
    nextDrillAt: nextDrillAt(app, region),
    active: running && summaryOf(app, running),
    last: last && summaryOf(app, last),
  }
}

function commitView(app: Application, commit: Commit): CommitView {
  const { state } = commit
  const release = newestRelease(app, ({ id }) => commitOf(id) === commit.id)
  const blocked = release && app.quarantine[release.id]?.because
  const bad = state.name === "failed" || state.name === "refused"
  const tone: Tone = bad ? "bad" : state.name === "built" ? "ok" : state.name === "building" ? "busy" : "none"
  return {
    commit: shortCommit(commit.id),
    subject: commit.subject,
    author: commit.author,
    at: commit.at,
    state: blocked === undefined ? state.name : "blocked",
    tone: blocked === undefined ? tone : "bad",
    detail:
      state.name === "failed"
        ? state.because
        : state.name === "refused"
          ? state.problems.join("\n")
          : state.name === "superseded"
            ? `a newer commit was waiting: ${shortCommit(state.by)}`
            : (blocked ?? ""),
    job: state.name === "building" || state.name === "failed" ? state.job : undefined,
  }
}

function lockView(lock: Application["locks"][number]): LockView {
  return {
    id: lock.id,
    scope: lock.scope.kind === "app" ? "application" : `region ${lock.scope.region}`,
    at: lock.at,
    by: lock.by,
    because: lock.because,
    rollout: lock.rollout,
    evidence: lock.evidence,
  }
}
