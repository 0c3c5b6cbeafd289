export type Answer = {
  readonly version: string
  readonly status: number
  /** Name in lower case and value. */
  readonly fields: readonly (readonly [name: string, value: string])[]
  readonly body: string
  /** All of it is there, by its own framing. */
  readonly isWhole: boolean
  readonly framing: "none" | "length" | "chunked" | "close"
  readonly trailers: string
}

/** The value of a field; several are joined by a comma. */
export function fieldOf(message: Pick<Answer, "fields">, name: string): string | undefined {
  const values = message.fields.filter(([one]) => one === name).map(([, value]) => value)
  return values.length === 0 ? undefined : values.join(", ")
}

/**
 * Reads answers as a careful client does, 1xx included. `methods` are of the requests, in order; `isOver`:
 * nothing more will come. Throws on what is no answer.
 */
export function readAnswers(text: string, methods: readonly string[], isOver: boolean): readonly Answer[] {
  const answers: Answer[] = []
  let at = 0
  let asked = 0
  while (at < text.length) {
    const end = text.indexOf("\r\n\r\n", at)
    if (end === -1) break
    const [line = "", ...lines] = text.slice(at, end).split("\r\n")
    const match = /^HTTP\/(1\.[01]) (\d{3})(?: .*)?$/.exec(line)
    if (!match) throw new Error(`this is no answer: ${JSON.stringify(text.slice(at, at + 60))}`)
    const status = Number(match[2])
    const fields = lines.map((one) => {
      const colon = one.indexOf(":")
      return [one.slice(0, colon).toLowerCase(), one.slice(colon + 1).trim()] as const
    })
    const isInterim = status < 200 && status !== 101
    const method = isInterim ? "GET" : (methods[asked] ?? "GET")
    const body = readBody(text, end + 4, { status, fields, method, isOver })
    answers.push({ version: match[1] ?? "", status, fields, ...body })
    if (!isInterim) asked += 1
    at = body.end
    if (!body.isWhole || status === 101) break
  }
  return answers
}

type Shape = {
  readonly status: number
  readonly fields: Answer["fields"]
  readonly method: string
  readonly isOver: boolean
}

type Body = Pick<Answer, "body" | "isWhole" | "framing" | "trailers"> & { readonly end: number }

function readBody(text: string, from: number, { status, fields, method, isOver }: Shape): Body {
  const nothing = { body: "", trailers: "", framing: "none" as const, isWhole: true, end: from }
  if (status < 200 || status === 204 || status === 304 || method === "HEAD") return nothing
  const coding = fieldOf({ fields }, "transfer-encoding")
  const length = fieldOf({ fields }, "content-length")
  if (coding !== undefined) {
    if (length !== undefined || coding.toLowerCase() !== "chunked")
      throw new Error(`two framings, or a strange one: ${coding}, ${length}`)
    return readChunks(text, from)
  }
  if (length === undefined)
    return { ...nothing, body: text.slice(from), framing: "close", isWhole: isOver, end: text.length }
  if (!/^\d+$/.test(length)) throw new Error(`Content-Length: ${length}`)
  const end = from + Number(length)
  return {
    ...nothing,
    body: text.slice(from, end),
    framing: "length",
    isWhole: end <= text.length,
    end: Math.min(end, text.length),
  }
}

function readChunks(text: string, from: number): Body {
  let body = ""
  let at = from
  const broken = () => ({
    body,
    trailers: "",
    framing: "chunked" as const,
    isWhole: false,
    end: text.length,
  })
  for (;;) {
    const end = text.indexOf("\r\n", at)
    if (end === -1) return broken()
    const size = text.slice(at, end)
    if (!/^[0-9a-f]+(;.*)?$/i.test(size)) throw new Error(`a chunk of size ${JSON.stringify(size)}`)
    const bytes = Number.parseInt(size, 16)
    if (bytes === 0) {
      const last = text.startsWith("\r\n", end + 2) ? end + 2 : text.indexOf("\r\n\r\n", end) + 2
      if (last < end + 2) return broken()
      return {
        body,
        trailers: text.slice(end + 2, last),
        framing: "chunked",
        isWhole: true,
        end: last + 2,
      }
    }
    const to = end + 2 + bytes
    body += text.slice(end + 2, to)
    if (to + 2 > text.length) return broken()
    if (text.slice(to, to + 2) !== "\r\n") throw new Error("a chunk does not end in CRLF")
    at = to + 2
  }
}
