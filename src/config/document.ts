import type { TSchema } from "typebox"
import { Settings } from "typebox/system"
import { Value } from "typebox/value"
import { type Document, isMap, isNode, isPair, isScalar, LineCounter, parseDocument, visit } from "yaml"
import { didYouMean, type Problem } from "./problem.ts"

const mostBytes = 256 * 1024
const mostDepth = 20
/** Of mistakes that are told at once; a file with more is refused all the same. */
const mostMistakes = 1_000
const forbidden = new Set(["__proto__", "constructor", "prototype"])

/** Keys of other tools and of later versions: known, and not supported yet. */
const notYet = new Set([
  "dockerfile",
  "registry",
  "provenance",
  "compute",
  "slack",
  "github",
  "cloudevents",
  "samples",
  "confidence",
  "config",
  "port",
  "retries",
])

/** A YAML text that knows where each of its values stands. */
export class Yaml {
  readonly file: string
  readonly text: string
  readonly problems: Problem[] = []
  readonly value: unknown
  readonly #document: Document
  readonly #lines = new LineCounter()

  constructor(text: string, file: string) {
    this.file = file
    this.text = text
    const fits = Buffer.byteLength(text) <= mostBytes
    this.#document = parseDocument(fits ? text : "", {
      lineCounter: this.#lines,
      version: "1.2",
      uniqueKeys: true,
      prettyErrors: false,
    })
    if (!fits) this.problem("C001", [], `the file is larger than ${mostBytes / 1024} KiB`)
    for (const { code, message, pos } of this.#document.errors)
      this.problems.push({
        ...{ severity: "error", code: "C002", file, ...this.#placeOf(pos) },
        message: syntax[code] ?? message,
      })
    this.#refuseTraps()
    this.value = this.problems.length > 0 ? undefined : this.#document.toJS({ maxAliasCount: 20 })
  }

  problem(
    code: string,
    path: readonly (string | number)[],
    message: string,
    severity: Problem["severity"] = "error",
    key = false,
  ): void {
    this.problems.push({ severity, code, file: this.file, ...this.#place(path, key), message })
  }

  /** Checks against a schema; every error becomes a problem with a place and a way out. */
  check(schema: TSchema): void {
    if (this.problems.length > 0) return
    const told = new Set<string>()
    // The deepest mistake is the one that was made; what stands above it only follows from it.
    const depth = (error: { readonly instancePath: string }) => error.instancePath.split("/").length
    const mistakes = mistakesIn(schema, this.value)
    for (const error of mistakes.toSorted((a, b) => depth(b) - depth(a))) {
      const path = error.instancePath
        .split("/")
        .slice(1)
        .map((part) => part.replaceAll("~1", "/").replaceAll("~0", "~"))
      this.#explain(error, path, told)
    }
    // Whatever the explanations leave out, nothing that is wrong is taken for right.
    if (mistakes.length > 0 && this.problems.length === 0)
      this.problem("C102", [], "this is not a configuration: next to nothing of it is known here")
  }

  #explain(error: ReturnType<typeof Value.Errors>[number], path: readonly string[], told: Set<string>): void {
    const tell = (code: string, at: readonly string[], message: string, key = false) => {
      const id = at.join("/")
      const follows = error.keyword !== "required" && error.keyword !== "additionalProperties"
      const below = [...told].some((known) => known === id || (known !== "" && id.startsWith(`${known}/`)))
      const above = follows && [...told].some((known) => id === "" || known.startsWith(`${id}/`))
      if (below || above) return
      told.add(id)
      this.problem(code, at, message, "error", key)
    }
    const shown = JSON.stringify(this.#document.getIn(path) ?? null)
    switch (error.keyword) {
      case "additionalProperties": {
        const { additionalProperties } = error.params
        for (const key of additionalProperties) {
          if (notYet.has(key)) tell("C106", [...path, key], `"${key}" is not supported yet; remove it`, true)
          else
            tell(
              "C101",
              [...path, key],
              `unknown key "${key}".${didYouMean(key, knownKeys(error.schemaPath, this.#schema))}`,
              true,
            )
        }
        return
      }
      case "required": {
        const missing = error.params.requiredProperties
        tell("C102", path, `${missing.join(", ")} ${missing.length === 1 ? "is" : "are"} missing here`)
        return
      }
      case "pattern":
        return tell(...this.#wrongText(error.schemaPath, path, shown))
      case "const": {
        const words = wordsOf(error.schemaPath, this.#schema)
        if (words.length < 2) return tell("C102", path, `${shown} is not right here: ${mustBe(error)}`)
        const near = didYouMean(String(this.#document.getIn(path)), words)
        return tell("C102", path, `${shown} is not known here.${near}`)
      }
      case "boolean":
        return
      default:
        if (path.length === 0 && this.#document.contents === null)
          return tell("C102", path, "there is nothing in it")
        return tell("C102", path, `${shown} is not right here: ${mustBe(error)}`)
    }
  }

  #schema: unknown = undefined

  /** Checks with the schema remembered, so that unknown keys can be answered with known ones. */
  checkWith(schema: TSchema): void {
    this.#schema = schema
    this.check(schema)
  }

  #wrongText(
    schemaPath: string,
    path: readonly string[],
    shown: string,
  ): [string, readonly string[], string] {
    const says = String(
      (resolvePointer(this.#schema, schemaPath) as { description?: string } | undefined)?.description ?? "",
    )
    if (says.startsWith("a duration")) return ["C103", path, `${shown} is not ${says}.${asDuration(shown)}`]
    if (says.startsWith("an amount with")) return ["C104", path, `${shown} needs a unit: it is ${says}.`]
    return ["C105", path, says ? `${shown} is not ${says}.` : `${shown} is not of the right form here.`]
  }

  #refuseTraps(): void {
    visit(this.#document, {
      Pair: (_key, pair, path) => {
        const name = isScalar(pair.key) ? String(pair.key.value) : ""
        if (forbidden.has(name))
          this.problems.push({
            ...{ severity: "error", code: "C003", file: this.file, ...this.#placeOf(rangeOf(pair.key)) },
            message: `the key ${name} is not allowed anywhere`,
          })
        if (path.length > mostDepth * 2) {
          this.problem("C004", [], `nested deeper than ${mostDepth} levels`)
          return visit.BREAK
        }
        return undefined
      },
    })
  }

  #place(path: readonly (string | number)[], key: boolean): Pick<Problem, "line" | "column" | "length"> {
    return this.#placeOf(this.#rangeOf(path, key))
  }

  #placeOf(range: readonly [number, number]): Pick<Problem, "line" | "column" | "length"> {
    const { line, col } = this.#lines.linePos(range[0])
    return { line: Math.max(1, line), column: Math.max(1, col), length: Math.max(1, range[1] - range[0]) }
  }

  /** The range of a value or its key; of the nearest thing above when there is none. */
  #rangeOf(path: readonly (string | number)[], key: boolean): readonly [number, number] {
    for (let length = path.length; length >= 0; length--) {
      const part = path.slice(0, length)
      const parent: unknown =
        length > 1 ? this.#document.getIn(part.slice(0, -1), true) : this.#document.contents
      if ((key || length < path.length) && length > 0 && isMap(parent)) {
        const pair = parent.items.find(
          (item) => isPair(item) && isScalar(item.key) && item.key.value === part.at(-1),
        )
        if (pair && isNode(pair.key) && pair.key.range) return [pair.key.range[0], pair.key.range[1]]
      }
      const node: unknown = length > 0 ? this.#document.getIn(part, true) : this.#document.contents
      if (isNode(node) && node.range) return rangeOf(node)
    }
    return [0, 1]
  }
}

const rangeOf = (node: unknown): readonly [number, number] =>
  isNode(node) && node.range ? [node.range[0], node.range[1]] : [0, 1]

/** The library stops at eight: what comes later, as the sum of all unknown keys does, would be missed. */
function mistakesIn(schema: TSchema, value: unknown): ReturnType<typeof Value.Errors> {
  const { maxErrors } = Settings.Get()
  Settings.Set({ maxErrors: mostMistakes })
  try {
    return Value.Errors(schema, value)
  } finally {
    Settings.Set({ maxErrors })
  }
}

/** Where the parser speaks to programmers; all else it says well. */
const syntax: Readonly<Record<string, string>> = {
  DUPLICATE_KEY: "this key stands above already; keep one of them",
  MULTIPLE_DOCS: "a file is one document: remove this --- and what follows it",
  TAB_AS_INDENT: "a line is indented with spaces, not with tabs",
}

/** What a schema's word for a kind of value means to who writes YAML. */
const kinds: Readonly<Record<string, string>> = {
  array: "a list",
  object: "keys with values",
  string: "text",
  number: "a number",
  integer: "a whole number",
  boolean: "true or false",
}

/** What a value must be, in words. */
function mustBe(error: ReturnType<typeof Value.Errors>[number]): string {
  switch (error.keyword) {
    case "type":
      return `must be ${[error.params.type]
        .flat()
        .map((type) => kinds[type] ?? type)
        .join(" or ")}`
    case "const":
      return `must be ${JSON.stringify(error.params.allowedValue)}`
    case "minimum":
      return `must be at least ${error.params.limit}`
    case "maximum":
      return `must be at most ${error.params.limit}`
    default:
      return error.message
  }
}

/** Everything that could have stood where a word is wrong. */
function wordsOf(schemaPath: string, schema: unknown): readonly string[] {
  const choice = resolvePointer(schema, schemaPath.replace(/\/anyOf\/\d+(\/const)?$/, "")) as
    | { anyOf?: readonly { const?: unknown }[] }
    | undefined
  return (choice?.anyOf ?? []).flatMap((one) => (typeof one.const === "string" ? [one.const] : []))
}

function knownKeys(schemaPath: string, schema: unknown): readonly string[] {
  const at = resolvePointer(schema, schemaPath.replace(/\/additionalProperties$/, "")) as
    | { properties?: object }
    | undefined
  return Object.keys(at?.properties ?? {})
}

/** Follows a JSON pointer such as `#/properties/regions/items`. */
function resolvePointer(schema: unknown, pointer: string): unknown {
  let now: unknown = schema
  for (const part of pointer.replace(/^#\/?/, "").split("/").filter(Boolean)) {
    now = typeof now === "object" && now !== null ? (now as Record<string, unknown>)[part] : undefined
  }
  return now
}

/** `"5 minutes"` → ` Write 5m.` */
function asDuration(shown: string): string {
  const found = /^"?(\d+(?:\.\d+)?) ?(ms|milli|s|sec|m|min|h|hour|d|day)/i.exec(shown)
  if (!found) return /^"?\d+"?$/.test(shown) ? ` Write ${shown.replaceAll('"', "")}s.` : ""
  const unit = {
    ms: "ms",
    milli: "ms",
    s: "s",
    sec: "s",
    m: "m",
    min: "m",
    h: "h",
    hour: "h",
    d: "d",
    day: "d",
  }[found[2]?.toLowerCase() ?? ""]
  return ` Write ${found[1]}${unit}.`
}
