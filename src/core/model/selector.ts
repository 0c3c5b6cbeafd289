/** Which series of an exposition are meant: `http_requests_total{code=~"5..",method!="OPTIONS"}`. */
export type Selector = { readonly name: string; readonly matchers: readonly Matcher[] }

export type Matcher = { readonly label: string; readonly is: boolean; readonly pattern: RegExp }

/** Longer label values are compared by so many characters: a pattern's work is bounded. */
const mostCharacters = 500

/**
 * Reads a selector in PromQL's words. Patterns may use what cannot be made to run for ever: literal text, `.`,
 * classes, alternatives, and at most two of `*` and `+`. Throws, with a sentence, on anything else.
 */
export function readSelector(text: string): Selector {
  const found = /^\s*([a-zA-Z_:][a-zA-Z0-9_:]*)\s*(?:\{(.*)\})?\s*$/s.exec(text)
  if (!found) {
    throw new Error(
      `${JSON.stringify(text.slice(0, 80))} does not select series: write name{label="value"}, without functions`,
    )
  }
  const [, name = "", inside = ""] = found
  return { name, matchers: readMatchers(inside) }
}

export const selects = (
  { matchers }: Selector,
  labels: Readonly<Record<string, string | undefined>>,
): boolean =>
  matchers.every(
    ({ label, is, pattern }) => pattern.test((labels[label] ?? "").slice(0, mostCharacters)) === is,
  )

function readMatchers(text: string): readonly Matcher[] {
  const matchers: Matcher[] = []
  let rest = text.trim()
  while (rest !== "") {
    const found =
      /^([a-zA-Z_][a-zA-Z0-9_]*)\s*(=~|!~|!=|=)\s*("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')\s*(,|$)\s*/.exec(rest)
    if (!found) throw new Error(`${JSON.stringify(rest.slice(0, 60))} is not label="value" of a selector`)
    const [all, label = "", operator = "=", quoted = '""'] = found
    const value = quoted.slice(1, -1).replace(/\\(["'\\])/g, "$1")
    const pattern = operator.endsWith("~") ? value : value.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")
    if (operator.endsWith("~")) refuseEndless(value)
    matchers.push({ label, is: !operator.startsWith("!"), pattern: compiled(pattern, value) })
    rest = rest.slice(all.length)
  }
  return matchers
}

function refuseEndless(pattern: string): void {
  const plain = pattern.replace(/\[(?:[^\]\\]|\\.)*\]|\\./g, "x")
  const endless = plain.match(/[*+]/g) ?? []
  if (endless.length > 2 || /\)[*+?{]|\{|\(\?(?!:)/.test(plain))
    throw new Error(
      `the pattern ${JSON.stringify(pattern.slice(0, 60))} is too free: at most two of * and +, and no repeated groups`,
    )
}

function compiled(pattern: string, shown: string): RegExp {
  try {
    return new RegExp(`^(?:${pattern})$`, "s")
  } catch {
    throw new Error(`the pattern ${JSON.stringify(shown.slice(0, 60))} is not a regular expression`)
  }
}
