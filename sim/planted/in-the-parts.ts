import { equivalent, type Mutant, metIn, one } from "./mutant.ts"

const store = "sim/store.ts"
const server = "sim/server.ts"

export const inTheParts: readonly Mutant[] = [
  one(
    "the store does not compare versions",
    store,
    'if (known.length !== expected) return { kind: "conflict" }',
    "",
    '"lost-ack"',
  ),
  one(
    "the store is not fenced",
    store,
    'if (!lease || lease.owner === undefined || lease.epoch !== epoch) return { kind: "fenced" }',
    "",
  ),
  metIn(
    one(
      "evidence is not fenced",
      store,
      '    this.#writable()\n    if (!this.#holds(by)) return "fenced"\n    const key',
      "    this.#writable()\n    const key",
      '"replicas":2',
      '"pause"',
    ),
    "evidence arrives when its writer has lost the application",
  ),
  one(
    "the store forgets the ids of orders",
    store,
    "if (command) this.commands.set(command.id, command.result)",
    "",
    '"lost-ack"',
    '"operator"',
  ),
  one(
    "the store loses an event",
    store,
    "      this.#all.push(event)\n      stored.push(event)",
    "      this.#all.push(event)\n      stored.push(event)\n      if (version % 17 === 0) known.pop()",
  ),
  one(
    "the store changes an event",
    store,
    "    this.streams.set(stream, known)\n",
    '    this.streams.set(stream, known)\n    if (known.length === 9 && known[3]) known[3] = { ...known[3], by: "nobody" }\n',
  ),
  one(
    "a lease is given while it is held",
    store,
    "row.owner !== owner && row.expiresAt > this.#now()) return undefined",
    "row.owner !== owner && row.expiresAt < 0) return undefined",
  ),
  equivalent(
    one(
      "the epoch of a presence does not rise",
      store,
      "const epoch = (row?.epoch ?? 0) + 1",
      "const epoch = row?.epoch ?? 1",
    ),
    "nobody takes the presence of another, and the turn to tell notices is never renewed: its owner is compared",
  ),
  one(
    "an epoch does not rise",
    store,
    "const epoch = 1 + (row?.epoch ?? 0)",
    "const epoch = row?.epoch ?? 1",
  ),
  metIn(
    one(
      "the lease of another is renewed",
      store,
      "if (row?.epoch !== lease.epoch || row.owner !== owner) return false",
      "if (!row) return false",
      '"replicas":2',
      '"pause"',
    ),
    "a presence is found gone by whoever paused",
  ),
  one(
    "the agent does not fence",
    server,
    "return epoch < known ?",
    "return epoch < 0 ?",
    '"replicas":2',
    '"pause"',
  ),
  metIn(
    one(
      "the router does not look at generations",
      server,
      "(epoch === known.epoch && generation < known.generation)",
      "(epoch === known.epoch && generation < 0)",
      '"delay"',
      '"duplicate"',
    ),
    "a table comes again when a newer one is in force",
  ),
  metIn(
    one(
      "the router releases what has weight",
      server,
      'if (weight > 0) return { kind: "busy", weight, inFlight: 1 }',
      "",
    ),
    "an instance is replaced while no table reaches the router",
  ),
  one(
    "the router releases what has requests in flight",
    server,
    "if (instance && instance.busyUntil > this.#now()) {",
    "if (instance && instance.busyUntil < 0) {",
  ),
  metIn(
    one(
      "the router takes back what it released",
      server,
      "      .find(({ id }) => this.released.has(id))",
      '      .find(({ id }) => id === "")',
    ),
    "a late copy of a table names what was released meanwhile",
  ),
  metIn(
    one(
      "the agent starts an id again",
      server,
      "if (this.released.has(spec.id)) return refused",
      'if (spec.id === "") return refused',
    ),
    "an instance is released before its start arrives",
  ),
]
