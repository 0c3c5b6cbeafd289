/**
 * One line of the log for each request: when it came (µs since 1970), frontend, backend, server, status, how it
 * ended, how often it was tried again, µs until its answer began, id of a copy, and what is needed to make a copy.
 */
export const lineFormat =
  "%[var(txn.began)] %f %b %s %ST %ts %rc %[var(txn.us)] %[var(txn.id)] %[var(txn.copy)]"

export type Line = {
  readonly at: number
  /** Number of the door that it came through. */
  readonly door: number
  /** Number of the placement that it was sent to; undefined: nobody was there. */
  readonly placement: number | undefined
  /** `gone`: the client left, which says nothing about the instance. */
  readonly outcome: Outcome | "gone"
  /** How often its pool had refused the connection, or closed it without an answer, before that. */
  readonly failedBefore: number
  /** Of a copy. */
  readonly id: string | undefined
  readonly copy: Copyable | undefined
}

/** How a request ended. `ms` is there when it was answered. */
export type Outcome = { readonly bad: boolean; readonly ms: number | undefined }

/** A request that may be made twice, without anybody's identity. */
export type Copyable = {
  readonly method: string
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
}

/** Reads a line; undefined when it is not one of a request. */
export function readLine(text: string): Line | undefined {
  const [began, frontend, , server, status, ended, retries, us, id, ...copy] = text.split(" ")
  const door = /^d(\d+)$/.exec(frontend ?? "")?.[1]
  if (door === undefined || status === undefined || ended === undefined) return undefined
  const placement = /^s(\d+)$/.exec(server ?? "")?.[1]
  return {
    at: Number(began) / 1_000,
    door: Number(door),
    placement: placement === undefined ? undefined : Number(placement),
    outcome: outcomeOf(Number(status), ended, Number(us)),
    failedBefore: failedBefore(retries, server),
    id: said(id),
    copy: copyOf(copy),
  }
}

/** `ended` tells who broke it off, and when; dashes: nobody. */
function outcomeOf(status: number, ended: string, us: number): Outcome | "gone" {
  const answered = Number.isFinite(us)
  const who = ended[0]
  if ((who === "C" || who === "c") && !answered) return "gone"
  const brokenOff = who === "S" || who === "s" || who === "P"
  return { bad: status >= 500 || status < 0 || brokenOff, ms: answered ? us / 1_000 : undefined }
}

/** The last of the attempts is the one that the line tells of. A plus says that another server was asked. */
const failedBefore = (retries: string | undefined, server: string | undefined): number =>
  server === "<NOSRV>" ? 0 : Number(retries?.replace("+", "") ?? 0) || 0

/** A line that was cut ends without its dot: half a request is not made again. */
function copyOf(words: readonly string[]): Copyable | undefined {
  const [method, path, host, accept, language, agent, dot] = words
  if (dot !== "." || method === undefined || path === undefined) return undefined
  const headers = Object.entries({ host, accept, "accept-language": language, "user-agent": agent })
  return {
    method,
    path: decoded(path),
    headers: Object.fromEntries(
      headers.flatMap(([name, value]) => {
        const text = said(value)
        return text === undefined ? [] : [[name, decoded(text)]]
      }),
    ),
  }
}

/** What HAProxy does not know it writes as a dash. */
const said = (word: string | undefined): string | undefined =>
  word === undefined || word === "" || word === "-" ? undefined : word

/** Byte by byte, as it was written: a user's bytes need not be UTF-8. */
const decoded = (text: string): string =>
  text.replace(/%([0-9A-Fa-f]{2})/g, (_all, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
