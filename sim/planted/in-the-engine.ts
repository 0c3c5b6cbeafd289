import { type Mutant, one } from "./mutant.ts"

const loop = "src/engine/application-loop.ts"
const perform = "src/engine/perform.ts"
const ledger = "src/engine/ledger.ts"
const engine = "src/engine/engine.ts"
const watch = "src/engine/watch.ts"

export const inTheEngine: readonly Mutant[] = [
  one(
    "an application gets two loops",
    loop,
    "this.#finished ??= this.#hold()",
    "this.#finished = this.#hold()",
  ),
  one("the age of the lease is not looked at", loop, "if (age > actWithin) return", "if (age > 1e12) return"),
  one(
    "the lease counts from the answer",
    loop,
    "        this.#leasedAt = asked\n        this.#problem",
    "        this.#leasedAt = clock.mono()\n        this.#problem",
  ),
  one(
    "the kill switch is read once a turn",
    loop,
    "    if (this.#parts.killed()) return killSwitchSet\n    const age",
    "    const age",
  ),
  {
    name: "the kill switch is ignored",
    file: loop,
    edits: [
      ["    if (this.#parts.killed()) return killSwitchSet\n    const age", "    const age"],
      ["    if (this.#parts.killed()) {\n", "    if (this.#parts.killed() && this.#stop.signal.aborted) {\n"],
    ],
  },
  one("a lost lease is not noticed", loop, "          term.abort()\n          return", "          continue"),
  one("a new holder does not read what it missed", loop, "if (lease) await this.ledger.catchUp()", ""),
  one("a follower acts as well", loop, "if (!lease) {\n", "if (!lease && this.ledger.epoch === 0) {\n"),
  one(
    "the watch forgets what it was asked to measure",
    loop,
    "const specs = this.#measures",
    "const specs: readonly MeasureSpec[] = []",
  ),
  one(
    "what was observed is not applied",
    loop,
    'await this.ledger.apply({ ...fact, at: clock.now(), by: "immunity" })',
    'if (fact.type !== "observed") await this.ledger.apply({ ...fact, at: clock.now(), by: "immunity" })',
  ),
  one(
    "no barrier before the first order",
    perform,
    "const answer = await agent.fence(app, this.#epoch, this.#timed(signal))",
    'const answer = { kind: "done" as const, because: "" }',
  ),
  one(
    "an unknown outcome counts as done",
    perform,
    "this.#pushed.delete(agent.server)",
    "this.#pushed.set(agent.server, { table, at: clock.mono() })",
  ),
  one("every table has the same generation", perform, "    this.#generation += 1\n", ""),
  one("the table is pushed every turn", perform, "if (!due && !forgotten) return false", ""),
  one(
    "the table is pushed once",
    perform,
    "const due = !last || last.table !== table ||",
    "const due = !last ||",
  ),
  one(
    "an order is repeated although it was obeyed",
    perform,
    "seen.instances.some((instance) => instance.id === effect.instance.id)",
    "!seen.instances",
  ),
  one("a test runs without its route", perform, "if (!listener || !serves) return undefined", ""),
  one(
    "a failed start is not tried again",
    perform,
    "const label = labelOf(effect)\n    try {",
    "const label = labelOf(effect)\n    if (this.problems.has(label)) return true\n    try {",
  ),
  one(
    "believes before storing",
    ledger,
    "          this.take(outcome.stored)\n",
    "          this.take(outcome.stored.slice(1))\n",
  ),
  one(
    "a conflict loses the order",
    ledger,
    "          await this.catchUp()\n          continue",
    '          await this.catchUp()\n          return { kind: "done", events: [], version: this.version }',
  ),
  one(
    "orders have no id in the store",
    ledger,
    "commandId === undefined ? undefined :",
    'commandId !== "" ? undefined :',
  ),
  one("notices are not stored with their events", ledger, "noticesFor(this.state, decided.events)", "[]"),
  one(
    "events are applied twice",
    ledger,
    "const news = stored.filter(({ version }) => version > this.version)",
    "const news = stored",
  ),
  one(
    "the kill switch does not reach decisions",
    ledger,
    "this.#parts.killed() ? killSwitchSet : undefined",
    "undefined",
  ),
  one(
    "a notice is done before it is sent",
    engine,
    "          await parts.notifier.send(",
    "          await parts.journal.outboxDone(row.id)\n          await parts.notifier.send(",
  ),
  one("a notice is tried once", engine, "const mostAttempts = 10", "const mostAttempts = 1"),
  one(
    "a secret gets into the log",
    engine,
    "parts.journal.outboxFailed(row.id, sentence(error), retryAt)",
    "parts.journal.outboxFailed(row.id, sentence(error), retryAt)\n          parts.log.warn({}, row.notice.to)",
  ),
  one(
    "nobody follows what others store",
    "src/engine/follow.ts",
    "if (!signal.aborted) await this.readOn()",
    "",
  ),
  one(
    "an order that was passed on is never obeyed",
    "src/engine/pass-on.ts",
    "const result = await obey(order)",
    'const result = order.id === "" ? await obey(order) : undefined',
  ),
  one(
    "there is no budget of rollbacks",
    "src/engine/rollback-budget.ts",
    "if (used < most) return undefined",
    "return undefined",
  ),
  one(
    "two regions back together count twice",
    "src/engine/rollback-budget.ts",
    "return new Set(recent).size",
    "return recent.length",
  ),
  one(
    "a measurement is heard without being stored",
    watch,
    "      await this.#parts.evidence.addInterval(this.#app, spec.rollout, next)\n",
    "",
  ),
  one(
    "a lost answer parts judge and store",
    watch,
    "    this.#unstored = [...this.#unstored, interval]",
    "    this.#unstored = [interval]",
  ),
  one(
    "the old pool is measured as the new one",
    watch,
    'const control = side(spec.control, "control")',
    'const control = side(spec.canary, "control")',
  ),
  one(
    "a restart begins with no evidence",
    watch,
    "    for (const interval of await parts.evidence.intervals(app, spec.rollout, spec.stage))\n      watch.#hear(interval)\n",
    "",
  ),
  one(
    "what cannot be seen is measured as nothing",
    watch,
    '  if ("blind" in after) return { ...interval, blind: after.blind }',
    '  if ("blind" in after) return { ...interval, canary: { kind: "proportion", total: 0, bad: 0 }, control: { kind: "proportion", total: 0, bad: 0 } }',
  ),
  one(
    "counters that began anew are subtracted",
    "src/engine/deltas.ts",
    "if (before.boot !== after.boot) return undefined",
    "",
  ),
]
