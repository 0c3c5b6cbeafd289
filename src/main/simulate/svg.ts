import { type Chart, type Dot, label, span } from "./chart.ts"

const width = 760
const plot = { left: 70, right: 20, height: 200, gap: 70 }
const head = 60

/** All charts below one another, with the answer above them, as a picture that stands alone. */
export function inSvg(answer: string, charts: readonly Chart[]): string {
  const lines = wrapped(answer, 100)
  const top = head + lines.length * 20
  const height = top + charts.length * (plot.height + plot.gap)
  const body = charts.map((chart, i) => drawn(chart, top + i * (plot.height + plot.gap)))
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" font-family="system-ui, sans-serif" font-size="13">
<title>${escaped(answer)}</title>
<rect width="100%" height="100%" fill="#ffffff"/>
${lines.map((line, i) => `<text x="20" y="${30 + i * 20}" font-weight="600" fill="#111827">${escaped(line)}</text>`).join("\n")}
${body.join("\n")}
</svg>
`
}

function drawn(chart: Chart, top: number): string {
  const right = width - plot.right
  const bottom = top + plot.height
  const x = (at: number) => plot.left + ((at - chart.from) / (chart.to - chart.from)) * (right - plot.left)
  const y = (value: number) => bottom - (value / chart.top) * plot.height
  const points = (dots: readonly Dot[]) =>
    dots.map(({ at, value }) => `${x(at).toFixed(1)},${y(value).toFixed(1)}`).join(" ")
  const ticks = [0, 0.5, 1].map((share) => {
    const at = y(share * chart.top).toFixed(1)
    return `<line x1="${plot.left}" x2="${right}" y1="${at}" y2="${at}" stroke="#e5e7eb"/><text x="${plot.left - 8}" y="${Number(at) + 4}" text-anchor="end" fill="#374151">${label(share * chart.top, chart.unit)}</text>`
  })
  const proof =
    chart.proved === undefined
      ? []
      : [
          `<line x1="${x(chart.proved).toFixed(1)}" x2="${x(chart.proved).toFixed(1)}" y1="${top}" y2="${bottom}" stroke="#111827" stroke-dasharray="2 3"/>`,
          `<text x="${x(chart.proved).toFixed(1)}" y="${bottom + 18}" text-anchor="middle" fill="#111827">proved worse after ${span(chart.proved - chart.from)}</text>`,
        ]
  return [
    `<text x="${plot.left}" y="${top - 12}" fill="#111827">${escaped(chart.title)}</text>`,
    `<text x="${right}" y="${top - 12}" text-anchor="end"><tspan fill="#b91c1c">━ canary</tspan>  <tspan fill="#1d4ed8">┅ control</tspan></text>`,
    ...ticks,
    `<polyline fill="none" stroke="#1d4ed8" stroke-width="1.5" stroke-dasharray="5 3" points="${points(chart.control)}"/>`,
    `<polyline fill="none" stroke="#b91c1c" stroke-width="1.5" points="${points(chart.canary)}"/>`,
    ...proof,
    `<text x="${right}" y="${bottom + 36}" text-anchor="end" fill="#374151">${span(chart.to - chart.from)}</text>`,
  ].join("\n")
}

function wrapped(text: string, most: number): readonly string[] {
  const lines: string[] = []
  for (const word of text.split(" ")) {
    const last = lines.at(-1)
    if (last !== undefined && last.length + word.length < most) lines[lines.length - 1] = `${last} ${word}`
    else lines.push(word)
  }
  return lines
}

const escaped = (text: string): string =>
  text.replace(/[<>&"]/g, (c) => ({ "<": "&lt;", ">": "&gt;", "&": "&amp;", '"': "&quot;" })[c] ?? c)
