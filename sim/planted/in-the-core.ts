import { equivalent, type Mutant, metIn, one } from "./mutant.ts"

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
    '"releases":[{"at":0',
    '"errors"',
  ),
  equivalent(
    one(
      "goes back to a pool that is gone",
      retreat,
      "return isPresent(region, from) ? from : undefined",
      "return from",
    ),
    "the pool that a rollout came from is stable or kept for as long as it may go back",
  ),
  equivalent(
    one(
      "a rollback is rolled back",
      retreat,
      '  if (phase.name === "aborting" || phase.name === "rolling-back") return\n  const to',
      "  const to",
    ),
    "whoever calls it has looked at the phase",
  ),
  one(
    "what cannot be undone is taken back",
    hold,
    "rollout.hadTraffic && draft.state.releases[rollout.release]?.irreversible === true",
    "false && rollout.hadTraffic",
    '"nature":"errors","irreversible":true',
  ),
  metIn(
    one(
      "a halt keeps the traffic",
      hold,
      'weight: canReturn ? "zero" : "frozen",',
      'weight: "frozen",',
      '"halt"',
    ),
    "a person halts a step",
  ),
  metIn(
    {
      name: "a hold at zero keeps its share",
      file: traffic,
      edits: [
        ['if (phase.name === "holding" && phase.hold.weight === "zero") return 0', ""],
        [' ||\n  (phase.name === "holding" && phase.hold.weight === "zero")', ""],
      ],
      needs: ['"halt"'],
    },
    "a person halts a step",
  ),
  one(
    "traffic goes to what is not healthy",
    traffic,
    "      instance.state === state &&\n",
    "",
    "instance-flap",
  ),
  metIn(
    one(
      "the last of the old pool loses its users when its probe fails",
      traffic,
      'inRoute(app, region, region.stable, "unready")',
      "[]",
      "instance-flap",
    ),
    "all that serve fail their probes",
  ),
  metIn(
    one(
      "what ended keeps its users",
      traffic,
      'inRoute(app, region, region.stable, "unready")',
      'inRoute(app, region, region.stable, "ended")',
      "instance-flap",
    ),
    "all that serve fail their probes",
  ),
  metIn(
    one(
      "users go back to a pool with nobody in it",
      traffic,
      "takers === 0 ? 100 : Math.min",
      "Math.min",
      "instance-crash",
      '"errors"',
    ),
    "all of the old pool end while a release goes back",
  ),
  metIn(
    one(
      "a skipped mirroring is said again and again while locked",
      advance,
      '    if (blockerOf(draft.state, rollout, draft.at)) return\n    draft.conclude(\n      { type: "mirroring-skipped"',
      '    draft.conclude(\n      { type: "mirroring-skipped"',
      '"mirror":true',
      '"order":"lock"',
    ),
    "a lock comes while there is nothing to mirror",
  ),
  one("traffic goes to what is on its way out", traffic, "      !instance.retired &&\n", ""),
  metIn(
    one(
      "few instances carry the weight of all",
      traffic,
      "Math.min(askedShare(rollout), fresh / size)",
      "askedShare(rollout)",
      "instance-crash",
      '"size":3',
    ),
    "one of three ends while it is tested",
  ),
  one(
    "weights do not add up",
    traffic,
    "return { [stable]: 100 - percent, [active]: percent }\n}\n\n/** Back",
    "return { [stable]: 100, [active]: percent }\n}\n\n/** Back",
  ),
  metIn(
    one(
      "gives everything to an old pool of one",
      traffic,
      "if (old * 2 >= size || fresh === 0 || had === 0)",
      "if (old >= 0)",
      "instance-crash",
      '"size":3',
      '"errors"',
    ),
    "two of three old ones end while a release goes back",
  ),
  metIn(
    one(
      "who wrote it may approve it",
      commands,
      "if (phase.gate.notAuthor && release",
      "if (phase.gate.notAuthor && !release && release",
      '"approve-as-author"',
      '"gate":true',
    ),
    "its author approves a release",
  ),
  metIn(
    one(
      "any artifact is approved",
      commands,
      "if (bound.digest && bound.digest !== release?.digest)",
      'if (bound.digest === "")',
      '"approve-stale"',
      '"gate":true',
    ),
    "another artifact is approved",
  ),
  metIn(
    one(
      "any evidence is approved at the gate",
      commands,
      "if (bound.evidence && bound.evidence !== phase.gate.evidence)",
      'if (bound.evidence === "")',
      '"approve-old-evidence"',
      '"gate":true',
    ),
    "older evidence is approved at a gate",
  ),
  metIn(
    one(
      "any evidence is approved in a hold",
      commands,
      "if (bound.evidence && bound.evidence !== rollout.lastLook?.evidence) {",
      'if (bound.evidence === "") {',
      '"approve-old-evidence"',
    ),
    "older evidence is approved in a hold",
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
  metIn(
    one(
      "what was quarantined meanwhile starts all the same",
      settle,
      "if (draft.state.quarantine[rollout.release]) {",
      'if (draft.state.quarantine[""]) {',
      '"secondRegion":true',
      '"errors"',
    ),
    "a success is taken back while the next region waits",
  ),
  one(
    "a lock stops nothing",
    guards,
    'if (lock) return { why: "locked"',
    'if (lock && !lock) return { why: "locked"',
    '"order":"lock"',
  ),
  one(
    "a pause stops nothing",
    guards,
    "  if (app.paused)\n",
    "  if (app.paused && !app.paused)\n",
    '"order":"pause"',
  ),
  one("a freeze stops nothing", guards, "if (until !== undefined)", "if (until === 0)"),
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
    '"mirror":false',
  ),
  one(
    "a failed test is no obstacle",
    advance,
    "test.passed === false",
    "test.passed === null",
    '"failing-test"',
  ),
  metIn(
    one(
      "the share is not waited for",
      advance,
      "if (enough && target > 0 && there && draft.sawRouter) {",
      "if (enough || there) {",
    ),
    "a person halts a step",
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
  metIn(
    one(
      "a success is not observed",
      advance,
      "  if (Math.min(observed, asked) < 99.99 || !region || !agreed(region)) return\n",
      "",
    ),
    "the probes fail when a bake ends",
  ),
  one(
    "a deadline never comes",
    advance,
    "  if (draft.at >= phase.deadline) {",
    "  if (draft.at >= phase.deadline + 1e12) {",
    '"never-healthy"',
  ),
  one(
    "back is believed before it is seen",
    advance,
    "if ((region.weights[rollout.number] ?? 0) === 0) {",
    "if (draft.at >= 0) {",
  ),
  metIn(
    one(
      "a blind canary serves for ever",
      advance,
      'weight: rollout.from === undefined ? "frozen" : "zero",',
      'weight: "frozen",',
      '"lie":"blind"',
    ),
    "the router cannot be read for long",
  ),
  one(
    "the window is always full",
    looked,
    "fact.observed >= window.needed * (1 + window.extensions)",
    "fact.observed >= 0",
  ),
  metIn(
    one(
      "missing data passes",
      "src/core/decision/default-table.ts",
      'then: "hold", because: "a metric has no data"',
      'then: "advance", because: "a metric has no data"',
    ),
    "the router cannot be read when a step begins",
  ),
  metIn(
    one(
      "missing data fails",
      "src/core/decision/default-table.ts",
      'then: "hold", because: "a metric has no data"',
      'then: "rollback", because: "a metric has no data"',
    ),
    "the router cannot be read when a step begins",
  ),
  metIn(
    one(
      "a sick world is the release's fault",
      "src/core/judge/guard.ts",
      '  const worldKeepsIt =\n    control === "none" ||',
      '  const worldKeepsIt =\n    true || control === "none" ||',
      '"sick-world"',
    ),
    "the world is sick while nobody old can be compared with",
  ),
  one(
    "worse is only unsure",
    "src/core/decision/decide-action.ts",
    "({ name: metric, kind, critical })",
    '({ name: metric, kind: kind === "worse" ? "unsure" : kind, critical })',
    '"errors"',
    '"bursts":[]',
  ),
  metIn(
    one(
      "the oldest commit wins",
      climb,
      "const newest = waiting.at(-1)",
      "const newest = waiting[0]",
      '"replicas":1',
    ),
    "three commits come at once",
  ),
  metIn(
    one(
      "a region may have two rollouts",
      climb,
      'if (active.phase.name !== "queued" || active.release === release.id) continue',
      "if (active.release === release.id) continue",
      '"secondRegion":true',
    ),
    "a newer release comes while one is under way",
  ),
  one(
    "a region does not wait for the one below",
    climb,
    "index === 0 ? newestRelease(app) : stableRelease(app, app.regions[index - 1])",
    "newestRelease(app)",
  ),
  metIn(
    one(
      "what failed is tried for ever",
      climb,
      "return tried(app, region, release) ? undefined : release",
      "return release",
    ),
    "a person says no at the gate",
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
    "instance-crash",
  ),
  one(
    "a vanished instance is not missed",
    facts,
    "  if (instance.address === undefined) return\n",
    "  if (instance) return\n",
    "instance-vanish",
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
    "instance-flap",
  ),
  metIn(
    one(
      "an instance that never came is waited for",
      instances,
      'if (instance.state !== "starting" ||',
      'if (instance.state !== "ended" ||',
      "instance-vanish",
    ),
    "what was started is lost before anybody saw it",
  ),
  one(
    "a touched instance leaves before its replacement can serve",
    instances,
    "if (instance.condemned && ready >= (instance.freshFirst ? wanted : 1))",
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
    "Math.min(wanted - good.length, roomFor(",
    "Math.min(wanted + 1 - good.length, roomFor(",
  ),
  one("ids are used again", evolve, "nextSerial: region.nextSerial + 1,", "nextSerial: region.nextSerial,"),
  one(
    "an automatic rollback is not counted",
    evolve,
    "const counted = event.automatic",
    "const counted = event.automatic && at < 0",
    '"suse"',
  ),
  metIn(
    one(
      "a pool that was left keeps its place",
      evolve,
      "          stable: event.to,\n",
      "          stable: region.stable,\n",
      '"order":"rollback"',
    ),
    "a person takes a success back",
  ),
  metIn(
    one(
      "users meet what is only mirrored",
      wanted,
      "to: previewName(app.app, rollout.region),",
      "to: routeName(app.app, rollout.region),",
    ),
    "a copy of the reads goes to the new release",
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
    '"gate":true',
  ),
  one(
    "what happened to a rollout that is forgotten breaks the fold",
    evolve,
    "  if (!rollout) return app\n  const next = evolveRollout(",
    "  if (!rollout && number < 0) return app\n  const next = evolveRollout(",
  ),
  one(
    "what is ended is called by its pool",
    wanted,
    '[{ kind: "release-instance", server, instance: id,',
    '[{ kind: "release-instance", server, instance: app.app + instance.pool,',
  ),
]
