import { equivalent, type Mutant, metIn, one } from "./mutant.ts"

const loop = "src/engine/application-loop.ts"
const tenure = "src/engine/tenure.ts"
const perform = "src/engine/perform.ts"
const ledger = "src/engine/ledger.ts"
const engine = "src/engine/engine.ts"
const watch = "src/engine/watch.ts"

export const inTheEngine: readonly Mutant[] = [
  metIn(
    {
      name: "what was taken with a lost answer is nobody's",
      file: tenure,
      edits: [
        ["      for (const app of apps) this.#fresh.add(app)\n", ""],
        // Which would find it later.
        ["++this.#looks % ownEvery === 0", "++this.#looks < 0"],
      ],
      needs: ['"replicas":2', '"lost-ack":0', '"kind":"pause"'],
    },
    "leases are taken with a lost answer",
  ),
  metIn(
    {
      name: "orders of a term that has ended are still given",
      file: loop,
      edits: [
        ['if (until.aborted) return "the application is no longer held here"', ""],
        // What is on its way then is given up as well, and would not be sent.
        ["effects, world, until)", "effects, world, new AbortController().signal)"],
      ],
      needs: ['"replicas":2', '"pause"'],
    },
    "a term ends while its orders are given",
  ),
  one("the age of the lease is not looked at", loop, "if (age > actWithin) return", "if (age > 1e12) return"),
  metIn(
    one(
      "the lease counts from the answer",
      tenure,
      "      this.#askedAt = asked\n",
      "      this.#askedAt = clock.mono()\n",
      '"slow-ack":0.3',
    ),
    "the answer about a presence is late",
  ),
  metIn(
    one(
      "the kill switch is read once a turn",
      loop,
      "    if (this.#parts.killed()) return killSwitchSet\n    const age",
      "    const age",
      '"kill-switch"',
      '"slow-ack"',
    ),
    "the kill switch is set while a commit is fetched",
  ),
  {
    name: "the kill switch is ignored",
    file: loop,
    edits: [
      ["    if (this.#parts.killed()) return killSwitchSet\n    const age", "    const age"],
      ["    if (this.#parts.killed()) return false\n", ""],
    ],
  },
  one(
    "a lost lease is not noticed",
    tenure,
    "    if (this.#presence && (await leases.renew(this.#presence, owner, presenceFor))) {",
    "    if (this.#presence) {\n      await leases.renew(this.#presence, owner, presenceFor)",
    '"replicas":2',
    '"pause"',
  ),
  metIn(
    one(
      "a new holder does not read what it missed",
      tenure,
      "    await this.#hear()\n",
      "",
      '"replicas":2',
      '"drop":0.3',
      '"kind":"crash"',
    ),
    "who takes over was deaf",
  ),
  one(
    "a follower acts as well",
    tenure,
    "if (lease) this.#taken.set(app, lease)",
    'if (key !== "") this.#taken.set(app, lease ?? { key, epoch: 1 })',
  ),
  one(
    "the watch forgets what it was asked to measure",
    loop,
    "if (this.#measures.length > 0) void this.#watch(until)",
    "",
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
    "const answer = await this.#timed(signal, (limit) => agent.fence(app, this.#epoch, limit))",
    'const answer = { kind: "done" as const, because: "" }',
  ),
  metIn(
    one(
      "an unknown outcome counts as done",
      perform,
      "this.#pushed.delete(agent.server)",
      "this.#pushed.set(agent.server, { table, at: clock.mono() })",
      '"lost-ack"',
    ),
    "it is not known what became of a table",
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
    "if (!agent || !seen?.instances.some((instance) => instance.id === id)) return false",
    "return false",
  ),
  one("a test runs without its route", perform, "if (!listener || !serves) return undefined", ""),
  one(
    "a failed start is not tried again",
    perform,
    "const label = labelOf(effect)\n    try {",
    "const label = labelOf(effect)\n    if (this.problems.has(label)) return true\n    try {",
  ),
  one(
    "a look is stored and not believed",
    ledger,
    "        this.#state.set(evolve(this.state, event))\n",
    '        if (event.event.type !== "looked") this.#state.set(evolve(this.state, event))\n',
  ),
  one(
    "believes before storing",
    ledger,
    "          this.take(outcome.stored)\n",
    "          this.take(outcome.stored.slice(1))\n",
  ),
  metIn(
    one(
      "a conflict loses the order",
      ledger,
      "          await this.catchUp()\n          // The same command",
      '          await this.catchUp()\n          return { kind: "done", events: [], version: this.version }\n          // The same command',
      '"lost-ack":0.3',
      '"order":"lock"',
    ),
    "a person locks after an answer was lost",
  ),
  metIn(
    one(
      "what a late copy of its own question took is never found",
      tenure,
      "++this.#looks % ownEvery === 0",
      "++this.#looks < 0",
    ),
    "leases are taken by a late copy of a question",
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
    '"kill-switch"',
  ),
  one(
    "a notice is done before it is sent",
    engine,
    "          await parts.notifier.send(",
    "          await parts.journal.outboxDone(row.id)\n          await parts.notifier.send(",
    '"notifier"',
  ),
  one("a notice is tried once", engine, "const mostAttempts = 10", "const mostAttempts = 1"),
  one(
    "a secret gets into the log",
    engine,
    "parts.journal.outboxFailed(row.id, sentence(error), retryAt)",
    "parts.journal.outboxFailed(row.id, sentence(error), retryAt)\n          parts.log.warn({}, row.notice.to)",
  ),
  metIn(
    one(
      "nobody follows what others store",
      "src/engine/follow.ts",
      "if (!signal.aborted) await this.readOn()",
      "",
      '"replicas":2',
    ),
    "a presence is found gone by whoever paused",
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
    '"suse"',
  ),
  metIn(
    one(
      "two regions back together count twice",
      "src/engine/rollback-budget.ts",
      "const used = new Set(",
      "const used = recent.length + 0 * new Set(",
      '"suse"',
    ),
    "one application goes back in two regions, two more in one",
  ),
  one(
    "a measurement is heard without being stored",
    watch,
    '      if ((await this.#parts.evidence.addInterval(this.#by, spec.rollout, next)) === "fenced") return "fenced"\n',
    "",
  ),
  metIn(
    one(
      "a lost answer parts judge and store",
      watch,
      "    this.#unstored = [...this.#unstored, interval]",
      "    this.#unstored = [interval]",
      '"lost-ack":0.3',
    ),
    "the answer about a measurement is lost",
  ),
  one(
    "the old pool is measured as the new one",
    watch,
    'const control = side(spec.control, "control")',
    'const control = side(spec.canary, "control")',
    '"errors"',
    '"bursts":[]',
  ),
  one(
    "a restart begins with no evidence",
    watch,
    "    for (const interval of await parts.evidence.intervals(app, spec.rollout, spec.stage))\n      watch.#hear(interval)\n",
    "",
    '"kind":"crash"',
  ),
  one(
    "what cannot be seen is measured as nothing",
    watch,
    '  if ("blind" in after) return { ...interval, blind: after.blind }',
    '  if ("blind" in after) return { ...interval, canary: { kind: "proportion", total: 0, bad: 0 }, control: { kind: "proportion", total: 0, bad: 0 } }',
    '"lie":"blind"',
  ),
  equivalent(
    one(
      "counters that began anew are subtracted",
      "src/engine/deltas.ts",
      "if (before.boot !== after.boot) return undefined",
      "",
      '"router-restart"',
    ),
    "the interval of a restart is then silent instead of unseen; either matters only three times in a row",
  ),
]
