import type { Series, VerdictView } from "../../src/api/contract/views.ts"
import { value } from "../words.ts"

const width = 240
const height = 64

/** Canary and control over time; drawn on the server, so that it is there without JavaScript. */
export function Chart({ series, unit }: { readonly series: Series; readonly unit: VerdictView["unit"] }) {
  const { points } = series
  const highest = Math.max(...points.flatMap(({ canary = 0, control = 0 }) => [canary, control]), 1e-9)
  const last = points.at(-1)
  const seconds = Math.round(((last?.at ?? 0) - (points[0]?.at ?? 0)) / 1_000)
  const place = (i: number, y: number): string =>
    `${((i / Math.max(1, points.length - 1)) * width).toFixed(1)},${(height - 2 - (y / highest) * (height - 6)).toFixed(1)}`
  const says = `${series.metric} over ${seconds} s, 0 to ${value(highest, unit)}: the new release as a solid line, the old one dashed`
  return (
    <figure class="chart">
      <svg viewBox={`0 0 ${width} ${height}`} preserveAspectRatio="none" role="img" aria-label={says}>
        <line x1="0" y1={height - 2} x2={width} y2={height - 2} class="axis" />
        {(["control", "canary"] as const).map((side) =>
          lines(points.map((point) => point[side])).map((line) => (
            <polyline class={side} points={line.map(([i, y]) => place(i, y)).join(" ")} />
          )),
        )}
      </svg>
      <figcaption class="quiet">
        <span class="key canary">new</span> <span class="key control">old</span> · up to{" "}
        {value(highest, unit)} · {seconds} s
      </figcaption>
    </figure>
  )
}

/** Stretches without a gap: what was not seen is not drawn, and not drawn over. */
function lines(values: readonly (number | undefined)[]): readonly (readonly [number, number])[][] {
  const found: [number, number][][] = [[]]
  values.forEach((y, i) => {
    if (y === undefined) found.push([])
    else found.at(-1)?.push([i, y])
  })
  return found.filter((line) => line.length > 0)
}
