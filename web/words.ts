import type { Tone, VerdictView } from "../src/api/contract/views.ts"

/** State is icon, word and colour; never colour alone. */
export const toneIcon: Record<Tone, string> = { ok: "✓", bad: "✕", busy: "◐", wait: "‖", none: "–" }

export const verdictIcon: Record<VerdictView["kind"], string> = {
  ok: "✓",
  worse: "✕",
  unsure: "?",
  nodata: "∅",
}
export const verdictWord: Record<VerdictView["kind"], string> = {
  ok: "OK",
  worse: "Worse",
  unsure: "Unsure",
  nodata: "No data",
}

export function value(number: number, unit: string): string {
  if (unit === "%") return `${(number * 100).toFixed(2)} %`
  if (unit === "ms") return `${Math.round(number * 10) / 10} ms`
  return `${Math.round(number * 100) / 100}${unit === "1" ? "" : ` ${unit}`}`
}

/** With its date where that is not today's. */
export function time(at: number, now: number): string {
  const [day, clock = ""] = new Date(at).toISOString().split("T")
  const today = new Date(now).toISOString().startsWith(day ?? "")
  return `${today ? "" : `${day} `}${clock.slice(0, 8)} UTC`
}

/** 399 → `0.4 s`, 161_600 → `2 min`. */
export const lasted = (ms: number): string => (ms < 10_000 ? `${Math.round(ms / 100) / 10} s` : span(ms))

export const ago = (at: number, now: number): string => `${span(now - at)} ago`
export const left = (until: number, now: number): string => span(until - now)

function span(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1_000))
  if (seconds < 60) return `${seconds} s`
  if (seconds < 3_600) return `${Math.floor(seconds / 60)} min`
  const minutes = Math.floor((seconds % 3_600) / 60)
  return `${Math.floor(seconds / 3_600)} h${minutes > 0 ? ` ${minutes} min` : ""}`
}
