import { createRequire } from "node:module"
import type { Reading, ReadMessage } from "./reading.ts"

/** The part of Node's own parser that is used here; llhttp behind its thinnest door. */
type RawParser = {
  initialize(kind: number, resource: object, mostHeaderBytes: number, leniency: number): void
  execute(bytes: Buffer, from: number, length: number): number | (Error & { readonly code: string })
  finish(): undefined | (Error & { readonly code: string })
  [callback: number]: unknown
}

type RawParserClass = {
  new (): RawParser
  readonly REQUEST: number
  readonly kOnHeaders: number
  readonly kOnHeadersComplete: number
  readonly kOnBody: number
  readonly kOnMessageComplete: number
  readonly kLenientNone: number
}

const { HTTPParser, methods } = createRequire(import.meta.url)("_http_common") as {
  readonly HTTPParser: RawParserClass
  readonly methods: readonly string[]
}

const mostHeaderBytes = 64 * 1024

type Growing = { -readonly [K in keyof ReadMessage]: ReadMessage[K] } & { isWhole: boolean }

/**
 * Reads bytes with llhttp and goes on behind a wish to change the protocol, as a server does that declines
 * it; except at the message `changesAt`, after which nothing is read.
 */
export function readWithLlhttp(bytes: Buffer, changesAt: number | undefined): Reading {
  const before: ReadMessage[] = []
  let from = 0
  for (;;) {
    const { messages, stopped, upgradedAt } = readOn(bytes.subarray(from))
    before.push(...messages)
    if (upgradedAt === undefined || before.length - 1 === changesAt) return { messages: before, stopped }
    from += upgradedAt
  }
}

/**
 * Reads bytes with llhttp as `node:http` does, without its leniencies. In this process and without a socket:
 * the same native parser, some hundred times faster.
 */
function readOn(bytes: Buffer): Reading & { readonly upgradedAt?: number } {
  const parser = new HTTPParser()
  parser.initialize(HTTPParser.REQUEST, {}, mostHeaderBytes, HTTPParser.kLenientNone)
  const messages: Growing[] = []
  let fields: string[] = []
  let target = ""
  let isUpgrade = false
  parser[HTTPParser.kOnHeaders] = (more: readonly string[], url: string) => {
    fields.push(...more)
    target += url
  }
  parser[HTTPParser.kOnHeadersComplete] = (
    _major: number,
    minor: number,
    all: readonly string[] | undefined,
    method: number,
    url: string,
    _status: unknown,
    _reason: unknown,
    upgrade: boolean,
    keepAlive: boolean,
  ) => {
    messages.push({
      method: methods[method] ?? `method ${method}`,
      target: url ?? target,
      minor,
      fields: inPairs(all ?? fields),
      body: "",
      keepAlive,
      end: undefined,
      isWhole: false,
    })
    fields = []
    target = ""
    isUpgrade = upgrade
    return 0
  }
  parser[HTTPParser.kOnBody] = (content: Buffer) => {
    const last = messages.at(-1)
    if (last) last.body += content.toString("latin1")
  }
  parser[HTTPParser.kOnMessageComplete] = () => {
    const last = messages.at(-1)
    if (last) last.isWhole = true
    // What came since the head were trailers.
    fields = []
    target = ""
  }
  const read = parser.execute(bytes, 0, bytes.length)
  const whole = messages.filter((message) => message.isWhole)
  if (isUpgrade && typeof read === "number" && messages.at(-1)?.isWhole)
    return { messages: whole, stopped: { kind: "closed" }, upgradedAt: read }
  // Once a change of protocol was asked for, Node keeps the errors of llhttp to itself; it stops where they are.
  if (isUpgrade && typeof read === "number" && read < bytes.length)
    return { messages: whole, stopped: refused("HPE unknown, behind a wish to change the protocol") }
  if (typeof read !== "number") {
    const isAfterClose = read.code === "HPE_CLOSED_CONNECTION"
    return { messages: whole, stopped: isAfterClose ? { kind: "closed" } : refused(read.code) }
  }
  const last = whole.at(-1)
  if (last && !last.keepAlive) return { messages: whole, stopped: { kind: "closed" } }
  return { messages: whole, stopped: { kind: parser.finish() === undefined ? "finished" : "waiting" } }
}

const refused = (because: string) => ({ kind: "refused", because }) as const

function inPairs(flat: readonly string[]): readonly (readonly [string, string])[] {
  const pairs: (readonly [string, string])[] = []
  for (let at = 0; at + 1 < flat.length; at += 2)
    pairs.push([(flat[at] ?? "").toLowerCase(), flat[at + 1] ?? ""])
  return pairs
}
