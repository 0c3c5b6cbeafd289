/** Something wrong in a configuration file: where exactly, what, and what to do. */
export type Problem = {
  readonly severity: "error" | "warning"
  /** C0xx syntax, C1xx shape, C2xx references, C3xx decisions; docs/guides/configuration.md explains each. */
  readonly code: string
  readonly file: string
  readonly line: number
  readonly column: number
  readonly length: number
  readonly message: string
}

/** The way compilers show it: the place, the sentence, the line, a mark under it. */
export function printProblems(problems: readonly Problem[], text: string): string {
  const lines = text.split("\n")
  const shown = problems.map((problem) => {
    const head = `${problem.file}:${problem.line}:${problem.column} ${problem.severity}[${problem.code}] ${problem.message}`
    const line = lines[problem.line - 1]
    if (line === undefined) return head
    const number = String(problem.line).padStart(4)
    const mark = "^".repeat(Math.max(1, Math.min(problem.length, line.length - problem.column + 1)))
    return `${head}\n${number} | ${line}\n${" ".repeat(4)} | ${" ".repeat(problem.column - 1)}${mark}`
  })
  const counted = (severity: Problem["severity"]) => {
    const count = problems.filter((problem) => problem.severity === severity).length
    return `${count} ${severity}${count === 1 ? "" : "s"}`
  }
  return `${shown.join("\n")}\n\n${counted("error")}, ${counted("warning")}`
}

/** The word that was probably meant, within two slips. */
export function didYouMean(word: string, known: readonly string[]): string {
  const near = known
    .map((candidate) => ({ candidate, slips: distance(word.toLowerCase(), candidate.toLowerCase()) }))
    .filter(({ slips }) => slips <= 2)
    .sort((a, b) => a.slips - b.slips)[0]
  return near ? ` Did you mean "${near.candidate}"?` : ` Known here: ${known.slice(0, 12).join(", ")}.`
}

/** Levenshtein's distance, with a swap of neighbours counted once. */
function distance(a: string, b: string): number {
  const rows: number[][] = [Array.from({ length: b.length + 1 }, (_, j) => j)]
  const at = (i: number, j: number): number => rows[i]?.[j] ?? Number.POSITIVE_INFINITY
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    rows.push(row)
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1
      let best = Math.min(at(i - 1, j) + 1, (row[j - 1] ?? 0) + 1, at(i - 1, j - 1) + same)
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        best = Math.min(best, at(i - 2, j - 2) + 1)
      row.push(best)
    }
  }
  return at(a.length, b.length)
}
