import { type Mutant, one } from "./mutant.ts"

const advance = "src/core/rollout/advance.ts"
const retreat = "src/core/rollout/retreat.ts"
const looked = "src/core/rollout/looked.ts"
const hold = "src/core/rollout/hold.ts"
const traffic = "src/core/rollout/traffic.ts"
const commands = "src/core/pipeline/commands.ts"
const settle = "src/core/pipeline/settle.ts"
const guards = "src/core/pipeline/guards.ts"
const climb = "src/core/pipeline/climb.ts"
const facts = "src/core/pipeline/facts.ts"
const instances = "src/core/pipeline/instances.ts"
const wanted = "src/core/pipeline/wanted.ts"
const evolve = "src/core/pipeline/evolve.ts"

export const inTheCore: readonly Mutant[] = [
  one("a rollback does not lock", retreat, '  lock(draft, rollout, "rollback", why)\n', ""),
  one(
    "a rollback does not quarantine",
    retreat,
    '    { type: "quarantined", release: rollout.release, rollout: rollout.number, because: why.because },',
    '    { type: "quarantined", release: "nothing", rollout: rollout.number, because: why.because },',
  ),
  one(
    "goes back to what is quarantined",
    retreat,
    "if (release === undefined || app.quarantine[release]) return undefined",
    "if (release === undefined) return undefined",
  ),
  one(
    "goes back to a pool that is gone",
    retreat,
    "return isPresent(region, from) ? from : undefined",
    "return from",
  ),
  one(
    "a rollback is rolled back",
    retreat,
    '  if (phase.name === "aborting" || phase.name === "rolling-back") return\n  const to',
    "  const to",
  ),
  one(
    "what cannot be undone is taken back",
    hold,
    "rollout.hadTraffic && draft.state.releases[rollout.release]?.irreversible === true",
    "false && rollout.hadTraffic",
  ),
  one("a halt keeps the traffic", hold, 'weight: canReturn ? "zero" : "frozen",', 'weight: "frozen",'),
  one(
    "a hold at zero keeps its share",
    traffic,
    'if (phase.name === "holding" && phase.hold.weight === "zero") return 0',
    "",
  ),
  one("traffic goes to what is not healthy", traffic, '      instance.state === "ready" &&\n', ""),
  one("traffic goes to what is on its way out", traffic, "      !instance.retired &&\n", ""),
  one(
    "few instances carry the weight of all",
    traffic,
    "Math.min(askedShare(rollout), fresh / size)",
    "askedShare(rollout)",
  ),
  one(
    "weights do not add up",
    traffic,
    "return { [stable]: 100 - percent, [active]: percent }\n}\n\n/** Back",
    "return { [stable]: 100, [active]: percent }\n}\n\n/** Back",
  ),
  one(
    "gives everything to an old pool of one",
    traffic,
    "if (old * 2 >= size || fresh === 0 || had === 0)",
    "if (old >= 0)",
  ),
  one(
    "who wrote it may approve it",
    commands,
    "if (phase.gate.notAuthor && release",
    "if (phase.gate.notAuthor && !release && release",
  ),
  one(
    "any artifact is approved",
    commands,
    "if (bound.digest && bound.digest !== release?.digest)",
    'if (bound.digest === "")',
  ),
  one(
    "any evidence is approved at the gate",
    commands,
    "if (bound.evidence && bound.evidence !== phase.gate.evidence)",
    'if (bound.evidence === "")',
  ),
  one(
    "any evidence is approved in a hold",
    commands,
    "if (bound.evidence && bound.evidence !== rollout.lastLook?.evidence) {",
    'if (bound.evidence === "") {',
  ),
  one(
    "a gate opens by itself",
    settle,
    "  if (gate && !rollout.approval) {",
    "  if (gate && !rollout.approval && draft.at >= gate.expiresAt) {",
  ),
  one(
    "a lock does not stop a start",
    settle,
    "|| blockerOf(draft.state, rollout, draft.at)) return",
    ") return",
  ),
  one(
    "what was quarantined meanwhile starts all the same",
    settle,
    "if (draft.state.quarantine[rollout.release]) {",
    'if (draft.state.quarantine[""]) {',
  ),
  one(
    "a lock stops nothing",
    guards,
    'if (lock) return { why: "locked"',
    'if (lock && !lock) return { why: "locked"',
  ),
  one("a pause stops nothing", guards, "  if (app.paused)\n", "  if (app.paused && !app.paused)\n"),
  one("a freeze stops nothing", guards, "from <= at && at < until", "from > until"),
  one(
    "a lock does not stop a raise",
    advance,
    "if (!step || blockerOf(draft.state, rollout, draft.at)) return",
    "if (!step) return",
  ),
  one(
    "tests are not waited for",
    advance,
    "  if (phase.tests.some((test) => test.passed === undefined)) return\n",
    "",
  ),
  one("a failed test is no obstacle", advance, "test.passed === false", "test.passed === null"),
  one(
    "the share is not waited for",
    advance,
    "if (enough && target > 0 && Math.abs(",
    "if (enough || Math.abs(",
  ),
  one(
    "nothing is judged before the next step",
    advance,
    "const judged = step.analysis &&",
    "const judged = !step.analysis &&",
  ),
  one(
    "a bake is over at once",
    advance,
    "if (phase.window.needed === 0) succeed",
    "if (phase.window.needed >= 0) succeed",
  ),
  one("a success is not observed", advance, "  if (Math.min(observed, asked) < 99.99) return\n", ""),
  one(
    "a deadline never comes",
    advance,
    "  if (draft.at >= phase.deadline) {",
    "  if (draft.at >= phase.deadline + 1e12) {",
  ),
  one(
    "back is believed before it is seen",
    advance,
    "if ((region.weights[rollout.number] ?? 0) === 0) {",
    "if (draft.at >= 0) {",
  ),
  one(
    "a blind canary serves for ever",
    advance,
    'weight: rollout.from === undefined ? "frozen" : "zero",',
    'weight: "frozen",',
  ),
  one(
    "the window is always full",
    looked,
    "fact.observed >= window.needed * (1 + window.extensions)",
    "fact.observed >= 0",
  ),
  one(
    "missing data passes",
    "src/core/decision/default-table.ts",
    'then: "hold", because: "a metric has no data"',
    'then: "advance", because: "a metric has no data"',
  ),
  one(
    "missing data fails",
    "src/core/decision/default-table.ts",
    'then: "hold", because: "a metric has no data"',
    'then: "rollback", because: "a metric has no data"',
  ),
  one(
    "a sick world is the release's fault",
    "src/core/judge/guard.ts",
    '  const worldKeepsIt =\n    control === "none" ||',
    '  const worldKeepsIt =\n    true || control === "none" ||',
  ),
  one(
    "worse is only unsure",
    "src/core/decision/decide-action.ts",
    "({ name: metric, kind, critical })",
    '({ name: metric, kind: kind === "worse" ? "unsure" : kind, critical })',
  ),
  one("the oldest commit wins", climb, "const newest = waiting.at(-1)", "const newest = waiting[0]"),
  one(
    "a region may have two rollouts",
    climb,
    'if (active.phase.name !== "queued" || active.release === release.id) continue',
    "if (active.release === release.id) continue",
  ),
  one(
    "a region does not wait for the one below",
    climb,
    "index === 0 ? newestRelease(app) : stableRelease(app, app.regions[index - 1])",
    "newestRelease(app)",
  ),
  one(
    "what failed is tried for ever",
    climb,
    "return tried(app, region, release) ? undefined : release",
    "return release",
  ),
  {
    name: "what failed is tried for ever, quarantine or not",
    file: climb,
    edits: [
      ["return tried(app, region, release) ? undefined : release", "return release"],
      ["if (!release || app.quarantine[release.id]) return undefined", "if (!release) return undefined"],
    ],
  },
  one(
    "a build is asked for and forgotten",
    wanted,
    'if (commit.state.name !== "building") return []',
    'if (commit.state.name !== "waiting") return []',
  ),
  one(
    "a crash is not noticed",
    facts,
    'if (instance.state === "ended" || instance.retired) return',
    "if (instance) return",
  ),
  one(
    "a vanished instance is not missed",
    facts,
    "  if (instance.address === undefined) return\n",
    "  if (instance) return\n",
  ),
  one(
    "a modified instance stays",
    facts,
    "if (found.differences.length > 0 && !instance.condemned",
    "if (found.differences.length > 9 && !instance.condemned",
  ),
  one(
    "a failing probe is not noticed",
    facts,
    'if (found.state === "unready" && instance.state === "ready") {',
    'if (found.state === "unready" && instance.state === "ended") {',
  ),
  one(
    "an instance that never came is waited for",
    instances,
    'if (instance.state !== "starting" ||',
    'if (instance.state !== "ended" ||',
  ),
  one(
    "a touched instance leaves before its replacement can serve",
    instances,
    "if (instance.condemned && ready > 0)",
    "if (instance.condemned)",
  ),
  one(
    "the pool that serves is not kept",
    instances,
    "new Set([region.stable, region.active, ...region.kept]",
    "new Set([region.active, ...region.kept]",
  ),
  one(
    "the pool to go back to is not kept",
    instances,
    "new Set([region.stable, region.active, ...region.kept]",
    "new Set([region.stable, region.active]",
  ),
  one(
    "one instance too many",
    instances,
    "for (let missing = wanted - good.length; missing > 0",
    "for (let missing = wanted + 1 - good.length; missing > 0",
  ),
  one("ids are used again", evolve, "nextSerial: region.nextSerial + 1,", "nextSerial: region.nextSerial,"),
  one(
    "an automatic rollback is not counted",
    evolve,
    "const counted = event.automatic",
    "const counted = event.automatic && at < 0",
  ),
  one(
    "a pool that was left keeps its place",
    evolve,
    "          stable: event.to,\n",
    "          stable: region.stable,\n",
  ),
  one(
    "users meet what is only mirrored",
    wanted,
    "return { to: previewName(app.app, rollout.region), sample",
    "return { to: routeName(app.app, rollout.region), sample",
  ),
  one("the outside reaches what is only tested", wanted, 'listen: "127.0.0.1:0",', 'listen: "0.0.0.0:0",'),
  one(
    "an instance is ended under its users",
    wanted,
    'if (!instance.released) return [{ kind: "release-instance"',
    'if (instance.released) return [{ kind: "release-instance"',
  ),
  one(
    "nothing is ever ended",
    wanted,
    '  return [{ kind: "stop-instance", server, instance: id, grace: run.drain }]',
    "  return []",
  ),
  one(
    "a repeated approval counts again",
    commands,
    "if (rollout.approval) return refuse",
    "if (rollout.approval && !by) return refuse",
  ),
]
