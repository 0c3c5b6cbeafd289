import { join } from "node:path"
import type { RouteSpec } from "../../../core/pipeline/effects.ts"
import { allDoors, allRoutes, type Book, backendOf, type Door, type Placement } from "./book.ts"
import { lineFormat } from "./line.ts"
import { tlsFile } from "./tls.ts"

/** Points of a route's line go from 0 to this. */
const line = 2 ** 32

/** The files that HAProxy starts from; while it runs, the same is said through its socket. */
export type Configuration = { readonly main: string; readonly rows: string; readonly pools: string }

export const rowsFile = (dir: string): string => join(dir, "rows.map")
export const feedSocket = (dir: string): string => join(dir, "feed.sock")
const nextSocket = (dir: string, { number }: Door): string => join(dir, `next${number}.sock`)
export const poolsFile = (dir: string): string => join(dir, "pools.map")

/** Said by a running HAProxy of itself: which structure it was started with. */
export const descriptionOf = (book: Book, secure: boolean): string =>
  `structure-${book.structure}${secure ? "-tls" : ""}`

/** `secure`: users come in over TLS, with the certificate in the folder. */
export function configuration(book: Book, dir: string, secure: boolean): Configuration {
  const main = [
    ...global(book, dir, secure),
    ...defaults,
    ...allDoors(book).flatMap((door) => frontend(door, book.secret, dir, secure && door.plain !== true)),
    ...nobody,
    ...allDoors(book).flatMap((door) => backends(book, door)),
    "",
  ].join("\n")
  const routed = allRoutes(book).flatMap((route) => {
    const door = book.doors[route.route]
    return door ? [[door.number, rowOf(route, door)] as const] : []
  })
  const idle = book.spares.map((door) => [door.number, rowOf(undefined, door)] as const)
  const rows = [...routed, ...idle].map(([door, row]) => `d${door} ${row}\n`)
  const pools = allDoors(book).flatMap((door) =>
    door.slots.map((pool, slot) => `${backendOf({ door: door.number, slot })} ${encoded(pool ?? "none")}\n`),
  )
  return { main, rows: rows.join(""), pools: pools.join("") }
}

/**
 * One route in one value, so that one `set map` swaps it whole: salt, stable backend, share to copy, and for
 * each pool the end of its part of the line and its backend; last the backend of users who come first. What is not stable comes first, by name: a
 * growing share keeps everybody it had.
 */
function rowOf(route: RouteSpec | undefined, door: Door): string {
  const rank = (pool: string) => (pool === route?.stable ? 1 : 0)
  const ordered = (route?.pools ?? [])
    .filter((pool) => pool.weight > 0)
    .toSorted((a, b) => rank(a.pool) - rank(b.pool) || (a.pool < b.pool ? -1 : 1))
  let reach = 0
  const parts = ordered.flatMap((pool, at) => {
    reach += pool.weight
    const end = at === ordered.length - 1 ? line : Math.round((reach / 100) * line)
    return [String(end), nameIn(door, pool.pool)]
  })
  while (parts.length < 2 * door.slots.length) parts.push("0", "none")
  const copied = route?.mirror ? Math.round(route.mirror.sample * line) : 0
  return [
    `${encoded(route?.salt ?? "")}%00`,
    nameIn(door, route?.stable),
    String(copied),
    ...parts,
    nameIn(door, route?.first?.pool),
  ].join("|")
}

const nameIn = (door: Door, pool: string | undefined): string => {
  const slot = pool === undefined ? -1 : door.slots.indexOf(pool)
  return slot < 0 ? "none" : backendOf({ door: door.number, slot })
}

/** Safe in a map, in its socket command and in a log line: no spaces, no separators. */
const encoded = (text: string): string => encodeURIComponent(text)

/** The words of a server, in the file and in `add server`: checked by connecting, taken out by refused connections. */
export const serverWords = ({ number, address }: Placement): string =>
  `${address} id ${number} maxconn 1024 pool-purge-delay 1s check inter 500 fastinter 100 fall 2 rise 1 observe layer4 error-limit 3 on-error mark-down`

const global = (book: Book, dir: string, secure: boolean): readonly string[] => [
  "# Written by Immunity from book.json; changes here are overwritten.",
  "global",
  `  description ${descriptionOf(book, secure)}`,
  `  stats socket ${quoted(join(dir, "admin.sock"))} mode 600 level admin expose-fd listeners`,
  "  stats timeout 1m",
  // Two of them on one address would share its users: the second must fail instead.
  "  noreuseport",
  "  hard-stop-after 1h",
  "  log ring@feed len 8192 format raw local0 info",
  "",
  // A full ring drops its oldest lines: whoever reads the log can never hold up a user.
  "ring feed",
  "  format raw",
  "  maxlen 8192",
  "  size 4194304",
  "  timeout connect 1s",
  "  timeout server 10s",
  `  server reader unix@${feedSocket(dir)}`,
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
  "  retries 2",
  "  retry-on conn-failure empty-response",
  "  http-reuse safe",
  "",
]

const nobody: readonly string[] = [
  "backend nobody",
  "  http-request return status 503 content-type text/plain string no-instance hdr Retry-After 1 hdr X-Immunity-Router no-instance",
  "",
]

function frontend(door: Door, secret: string, dir: string, secure: boolean): readonly string[] {
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
    // A worker of before a reload may still have users' connections; what they ask now, the next worker answers.
    "  http-request set-var(txn.next) bool(true) if { stopping }",
    "  http-request allow if { var(txn.next) -m found }",
    "  http-request set-var(txn.began) date(0,us)",
    ...strictRules,
    // Only who makes the copies knows such an id; the instance is told that it is a copy, and nothing else.
    `  http-request set-var(txn.id) req.hdr(X-Immunity-Copy) if { req.hdr(X-Immunity-Copy) -m beg ${secret}. }`,
    "  http-request del-header X-Immunity-Copy",
    "  http-request del-header X-Mirror if !{ var(txn.id) -m found }",
    `  http-request set-var(txn.row) fe_name,map(${quoted(rowsFile(dir))})`,
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
    ...strictAnswerRules,
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
function firstRules({ first = [], slots }: Door): readonly string[] {
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
    `  http-request set-var(txn.first) var(txn.row),field(${4 + 2 * slots.length},|)`,
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

/** What HAProxy would pass on though two readers could take it for different things, or for another hop's. */
const strictRules: readonly string[] = [
  "  http-request return status 505 content-type text/plain string version if !{ req.ver 1.0 1.1 }",
  "  http-request deny deny_status 405 if { method CONNECT TRACE }",
  "  http-request deny deny_status 400 if { req.hdr_cnt(host) gt 1 }",
  "  http-request deny deny_status 400 if { req.ver 1.1 } !{ req.hdr(host) -m found }",
  "  http-request deny deny_status 400 if { req.hdrs -m reg '\\x00' }",
  "  http-request del-header Keep-Alive",
  "  http-request del-header Proxy-Connection",
  "  http-request del-header TE",
  "  http-request del-header Connection if !{ req.hdr(upgrade) -m found }",
  // A connection that its instance closed while it rested: only what may be made twice is made again.
  "  http-request disable-l7-retry if !{ method GET HEAD OPTIONS }",
]

const strictAnswerRules: readonly string[] = [
  "  http-response deny deny_status 502 if { res.hdrs -m reg '\\x00' }",
  "  http-response del-header Keep-Alive",
  "  http-response del-header Proxy-Connection",
  "  http-response del-header Connection if !{ status 101 }",
]

const forwardedRules: readonly string[] = [
  '  http-request set-header X-Forwarded-For "%[req.hdr(x-forwarded-for)], %[src]" if { req.hdr(x-forwarded-for) -m found }',
  "  http-request set-header X-Forwarded-For %[src] if !{ req.hdr(x-forwarded-for) -m found }",
  "  http-request set-header X-Forwarded-Host %[req.hdr(host)]",
  "  http-request set-header X-Request-Id %[uuid(4)] if !{ req.hdr(X-Request-Id) -m found }",
]

const backends = (book: Book, door: Door): readonly string[] =>
  door.slots.flatMap((_pool, slot) => [
    `backend ${backendOf({ door: door.number, slot })}`,
    "  balance leastconn",
    ...book.placements
      .filter((one) => one.door === door.number && one.slot === slot && !one.leaving)
      .map((one) => `  server s${one.number} ${serverWords(one)}${one.ready ? "" : " disabled"}`),
    "",
  ])

/** Inside double quotes only these four mean something to HAProxy. */
const quoted = (text: string): string => `"${text.replace(/["\\$]/g, "\\$&")}"`
