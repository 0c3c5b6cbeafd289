import { type Chart, type Dot, label, span } from "./chart.ts"

const height = 10

/** A plot of `columns` characters for a terminal: `●` canary, `·` control, `◉` both, `│` the proof. */
export function inTerminal(chart: Chart, columns: number): readonly string[] {
  const margin = 10
  const width = Math.max(20, Math.min(columns, 120) - margin - 1)
  const grid = Array.from({ length: height }, () => new Array<string>(width).fill(" "))
  const column = (at: number) =>
    Math.min(width - 1, Math.max(0, Math.floor(((at - chart.from) / (chart.to - chart.from)) * width)))
  const proved = chart.proved === undefined ? undefined : column(chart.proved)
  if (proved !== undefined) for (const row of grid) row[proved] = "│"
  draw(grid, levels(chart.control, chart.top, width, column), "·")
  draw(grid, levels(chart.canary, chart.top, width, column), "●")
  const rows = grid.map((row, i) => {
    const side = i === 0 ? label(chart.top, chart.unit) : i === height - 1 ? label(0, chart.unit) : ""
    return `${side.padStart(margin - 1)} ┤${row.join("").trimEnd()}`
  })
  const end = span(chart.to - chart.from)
  const below = [" ".repeat(margin), "└", "─".repeat(width)].join("")
  const marks = " ".repeat(margin + 1) + marked(width, proved, end)
  return [`${chart.title}   ● canary   · control`, ...rows, below, marks.trimEnd()]
}

/** The height of each column that has a value, from the bottom. */
function levels(
  dots: readonly Dot[],
  top: number,
  width: number,
  column: (at: number) => number,
): readonly (number | undefined)[] {
  const sums = Array.from({ length: width }, () => ({ sum: 0, count: 0 }))
  for (const { at, value } of dots) {
    const one = sums[column(at)]
    if (!one) continue
    one.sum += value
    one.count++
  }
  return sums.map(({ sum, count }) =>
    count === 0 ? undefined : Math.min(height - 1, Math.round((sum / count / top) * (height - 1))),
  )
}

function draw(grid: readonly string[][], found: readonly (number | undefined)[], mark: string): void {
  for (const [x, level] of found.entries()) {
    const row = level === undefined ? undefined : grid[height - 1 - level]
    if (row) row[x] = row[x] === "·" && mark === "●" ? "◉" : mark
  }
}

function marked(width: number, proved: number | undefined, end: string): string {
  const said = proved === undefined ? "" : `${" ".repeat(proved)}▲ proved worse`
  const room = width - end.length
  if (said.length >= room - 1)
    return said.length > width ? `${" ".repeat(Math.max(0, (proved ?? 0) - 14))}proved worse ▲` : said
  return said.padEnd(room) + end
}
