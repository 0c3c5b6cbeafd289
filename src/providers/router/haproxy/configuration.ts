import { join } from "node:path"
import { allDoors, type Book, backendOf, type Door } from "./book.ts"
import { checkRules, serverWords } from "./checks.ts"
import { type Hold, holdProgram, holdRules } from "./holding.ts"
import { lineFormat } from "./line.ts"
import { firstField, holdField, poolRowsOf, poolsFile, rowsFile, rowsOf } from "./rows.ts"
import { defaultLimits, type Limits } from "./settings.ts"
import { strictAnswerRules, strictRules, unnamingProgram } from "./strict.ts"
import { tlsFile } from "./tls.ts"

/** What a HAProxy is started with besides its book. */
export type Setup = {
  readonly dir: string
  /** Users come in over TLS, with the certificate in the folder. */
  readonly secure: boolean
  /** Whether it knows Lua: with it requests can wait for a swap, and what Connection names is taken out. */
  readonly lua: boolean
  readonly limits: Limits
}

const luaFile = (dir: string): string => join(dir, "immunity.lua")
export const feedSocket = (dir: string): string => join(dir, "feed.sock")
const nextSocket = (dir: string, { number }: Door): string => join(dir, `next${number}.sock`)
/** Said by a running HAProxy of itself: which structure it was started with. */
export const descriptionOf = ({ structure }: Book, { secure, lua, limits }: Setup): string => {
  const own = limits === defaultLimits ? "" : `-${Object.values(limits).join("-")}`
  return `structure-${structure}${secure ? "-tls" : ""}${lua ? "-lua" : ""}${own}`
}

/** The files that HAProxy starts from, by their paths; while it runs, the same is said through its socket. */
export function filesOf(
  book: Book,
  setup: Setup,
  holds: readonly Hold[],
  now: number,
): Readonly<Record<string, string>> {
  const { dir } = setup
  return {
    [rowsFile(dir)]: rowsOf(book, holds, now),
    [poolsFile(dir)]: poolRowsOf(book),
    ...(setup.lua ? { [luaFile(dir)]: `${holdProgram(rowsFile(dir))}\n${unnamingProgram}` } : {}),
    [join(dir, "haproxy.cfg")]: configuration(book, setup),
  }
}

const configuration = (book: Book, setup: Setup): string =>
  [
    ...global(book, setup),
    ...defaults,
    ...allDoors(book).flatMap((door) => frontend(door, book.secret, setup)),
    ...nobody,
    ...clients,
    ...allDoors(book).flatMap((door) => backends(book, door, setup.limits.inFlight)),
    "",
  ].join("\n")

const global = (book: Book, setup: Setup): readonly string[] => [
  "# Written by Immunity from book.json; changes here are overwritten.",
  "global",
  `  description ${descriptionOf(book, setup)}`,
  `  stats socket ${quoted(join(setup.dir, "admin.sock"))} mode 600 level admin expose-fd listeners`,
  "  stats timeout 1m",
  // Two of them on one address would share its users: the second must fail instead.
  "  noreuseport",
  "  hard-stop-after 1h",
  // Not all instances of a pool are asked how they are in the same moment.
  "  spread-checks 10",
  ...(setup.lua ? [`  lua-load ${quoted(luaFile(setup.dir))}`] : []),
  "  log ring@feed len 8192 format raw local0 info",
  "",
  // A full ring drops its oldest lines: whoever reads the log can never hold up a user.
  "ring feed",
  "  format raw",
  "  maxlen 8192",
  "  size 4194304",
  "  timeout connect 1s",
  "  timeout server 10s",
  `  server reader unix@${feedSocket(setup.dir)}`,
  "",
]

const defaults: readonly string[] = [
  "defaults",
  "  mode http",
  "  log global",
  `  log-format "${lineFormat}"`,
  "  option dontlognull",
  "  timeout connect 2s",
  "  timeout client 75s",
  "  timeout server 60s",
  "  timeout queue 1s",
  "  timeout check 2s",
  "  timeout http-request 10s",
  "  timeout http-keep-alive 75s",
  "  timeout tunnel 1h",
  "  option idle-close-on-response",
  "  option redispatch 1",
  // Once more at most: an instance that restarts again and again must not double what the others get.
  "  retries 1",
  "  retry-on conn-failure empty-response",
  "  http-reuse safe",
  "",
]

const nobody: readonly string[] = [
  "backend nobody",
  "  http-request return status 503 content-type text/plain string no-instance hdr Retry-After 1 hdr X-Immunity-Router no-instance",
  "",
]

/** Who counts the clients of all frontends, together and by their address. */
const clients: readonly string[] = [
  "backend everybody",
  "  stick-table type integer size 1 store conn_cur",
  "",
  "backend clients",
  "  stick-table type ip size 100k expire 10m store conn_cur",
  "",
]

function frontend(door: Door, secret: string, { dir, limits, lua, ...setup }: Setup): readonly string[] {
  const secure = setup.secure && door.plain !== true
  const rowRule = `  http-request set-var(txn.row) fe_name,map(${quoted(rowsFile(dir))})`
  const found = "{ var(txn.be) -m found }"
  const choice = door.slots.flatMap((_pool, slot) => {
    const unless = slot === 0 ? "" : ` if !${found}`
    return [
      `  http-request set-var(txn.end) var(txn.row),field(${4 + 2 * slot},|)${unless}`,
      `  http-request set-var(txn.be) var(txn.row),field(${5 + 2 * slot},|) if !${found} { var(txn.point),sub(txn.end) lt 0 }`,
    ]
  })
  return [
    `frontend d${door.number}`,
    `  bind ${door.address}${secure ? ` ssl crt ${quoted(tlsFile(dir))} alpn http/1.1 ssl-min-ver TLSv1.2` : ""}`,
    `  bind unix@${nextSocket(dir, door)} mode 600 accept-proxy`,
    ...limitRules(limits),
    rowRule,
    ...(lua ? holdRules(holdField(door), rowRule) : []),
    // A worker of before a reload may still have users' connections; what they ask now, the next worker answers.
    "  http-request set-var(txn.next) bool(true) if { stopping }",
    "  http-request allow if { var(txn.next) -m found }",
    "  http-request set-var(txn.began) date(0,us)",
    ...strictRules(lua),
    // Only who makes the copies knows such an id; the instance is told that it is a copy, and nothing else.
    `  http-request set-var(txn.id) req.hdr(X-Immunity-Copy) if { req.hdr(X-Immunity-Copy) -m beg ${secret}. }`,
    "  http-request del-header X-Immunity-Copy",
    "  http-request del-header X-Mirror if !{ var(txn.id) -m found }",
    ...pointRules(door),
    ...choice,
    ...firstRules(door),
    "  http-request set-var(txn.stable) var(txn.row),field(2,|)",
    // Users of a canary with nobody in it go to the stable pool; never the other way round.
    `  http-request set-var(txn.be) var(txn.stable) if !${found} or ${found} !{ var(txn.be),nbsrv gt 0 }`,
    `  http-request set-var(txn.pool) var(txn.be),map(${quoted(poolsFile(dir))}),url_dec`,
    ...copyRules,
    ...forwardedRules,
    `  http-request set-header X-Forwarded-Proto ${secure ? "https" : "http"}`,
    "  http-response set-var(txn.answered) bool(true)",
    "  http-response allow if { var(txn.next) -m found }",
    ...strictAnswerRules(lua),
    "  http-response set-var(txn.us) date(0,us),sub(txn.began)",
    "  http-response del-header X-Immunity-Router",
    ...assignRules(door),
    // Only what no instance answered: the mark tells the router's own words from theirs.
    "  http-after-response set-header X-Immunity-Pool %[var(txn.pool)] if !{ var(txn.answered) -m found } { var(txn.pool) -m found }",
    "  http-after-response set-header X-Immunity-Router timeout if !{ var(txn.answered) -m found } { status 504 }",
    "  http-after-response set-header X-Immunity-Router reset if !{ var(txn.answered) -m found } { status 502 }",
    "  http-after-response set-header X-Immunity-Router connect if !{ var(txn.answered) -m found } { status 503 } !{ res.hdr(X-Immunity-Router) -m found }",
    `  use_backend next${door.number} if { var(txn.next) -m found }`,
    `  use_backend %[var(txn.be)] if ${found} !{ var(txn.be) -m str none } { var(txn.be),nbsrv gt 0 }`,
    "  default_backend nobody",
    "",
    `backend next${door.number}`,
    `  server worker unix@${nextSocket(dir, door)} send-proxy-v2`,
    "",
  ]
}

/** Before anything is read. Who comes through a socket, from a worker of before a reload, was counted there. */
const limitRules = ({ connections, connectionsPerAddress }: Limits): readonly string[] => [
  "  tcp-request connection accept if !{ src -m found }",
  "  tcp-request connection track-sc1 int(1) table everybody",
  `  tcp-request connection reject if { sc1_conn_cur gt ${connections} }`,
  "  tcp-request connection track-sc0 src table clients",
  `  tcp-request connection reject if { sc0_conn_cur gt ${connectionsPerAddress} }`,
]

/** Where a user falls on the line: by what it is recognised by under the salt, or anywhere. */
function pointRules({ sticky }: Door): readonly string[] {
  const anywhere = "  http-request set-var(txn.point) rand"
  const hashed = [
    "  http-request set-var(txn.salt) var(txn.row),field(1,|),url_dec",
    "  http-request set-var(txn.point) var(txn.salt),concat(,txn.key),sha2(256),bytes(0,4),hex,hex2i",
  ]
  switch (sticky.by) {
    case "none":
      return [anywhere]
    case "address":
      return ["  http-request set-var(txn.key) src", ...hashed]
    case "header":
      return [
        `  http-request set-var(txn.key) req.hdr(${sticky.name})`,
        "  http-request set-var(txn.key) src if !{ var(txn.key) -m found }",
        ...hashed,
      ]
    case "cookie":
      return [
        `  http-request set-var(txn.key) req.cook(${sticky.name})`,
        "  http-request set-var(txn.fresh) uuid(4) if !{ var(txn.key) -m found } or { var(txn.key) -m len 0 }",
        "  http-request set-var(txn.key) var(txn.fresh) if { var(txn.fresh) -m found }",
        ...hashed,
      ]
  }
}

/** Longer lines HAProxy would read too; nobody else would. */
const longestList = 1_500

/** Users who are let in first. In hex: a key may hold whatever a line of this file may not. */
function firstRules(door: Door): readonly string[] {
  const { first = [] } = door
  if (first.length === 0) return []
  const lists: string[] = []
  for (const key of first) {
    const hex = Buffer.from(key, "latin1").toString("hex").toUpperCase()
    const last = lists.at(-1)
    if (last === undefined || last.length + hex.length > longestList || last.split(" ").length >= 40)
      lists.push(hex)
    else lists[lists.length - 1] = `${last} ${hex}`
  }
  return [
    ...lists.map((list) => `  acl comes-first var(txn.key),hex -m str ${list}`),
    `  http-request set-var(txn.first) var(txn.row),field(${firstField(door)},|)`,
    "  http-request set-var(txn.be) var(txn.first) if comes-first { var(txn.first) -m beg d }",
  ]
}

const assignRules = ({ sticky }: Door): readonly string[] =>
  sticky.by === "cookie"
    ? [
        `  http-response add-header Set-Cookie "${sticky.name}=%[var(txn.fresh)]; Path=/; SameSite=Lax; HttpOnly; Max-Age=2592000" if { var(txn.fresh) -m found }`,
      ]
    : []

/** What a copy needs goes into the log line of its request; who reads the log makes the copy. */
const copyRules: readonly string[] = [
  "  http-request set-var(txn.share) var(txn.row),field(3,|)",
  `  http-request set-var-fmt(txn.copy) "%HM %[pathq,url_enc] %[req.hdr(host),url_enc] %[req.hdr(accept),url_enc] %[req.hdr(accept-language),url_enc] %[req.hdr(user-agent),url_enc] ." if !{ var(txn.id) -m found } { method GET HEAD } !{ req.hdr(content-length) -m found } !{ req.hdr(transfer-encoding) -m found } !{ req.hdr(upgrade) -m found } { rand,sub(txn.share) lt 0 }`,
]

const forwardedRules: readonly string[] = [
  '  http-request set-header X-Forwarded-For "%[req.hdr(x-forwarded-for)], %[src]" if { req.hdr(x-forwarded-for) -m found }',
  "  http-request set-header X-Forwarded-For %[src] if !{ req.hdr(x-forwarded-for) -m found }",
  "  http-request set-header X-Forwarded-Host %[req.hdr(host)]",
  "  http-request set-header X-Request-Id %[uuid(4)] if !{ req.hdr(X-Request-Id) -m found }",
]

const backends = (book: Book, door: Door, inFlight: number): readonly string[] =>
  door.slots.flatMap((_pool, slot) => [
    `backend ${backendOf({ door: door.number, slot })}`,
    "  balance leastconn",
    ...checkRules(door.health),
    ...book.placements
      .filter((one) => one.door === door.number && one.slot === slot && !one.leaving)
      .map(
        (one) =>
          `  server s${one.number} ${serverWords(one, door.health, inFlight)}${one.ready ? "" : " disabled"}`,
      ),
    "",
  ])

/** Inside double quotes only these four mean something to HAProxy. */
const quoted = (text: string): string => `"${text.replace(/["\\$]/g, "\\$&")}"`
