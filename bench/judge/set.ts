import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { gunzipSync } from "node:zlib"

/** What only the scorer knows of a case. Times in seconds; arrays have one entry a tick. */
export type Label = {
  readonly case: string
  readonly class: string
  readonly should_rollback: boolean
  readonly onset_t: number | null
  readonly regressed: string | null
  readonly flavour: readonly string[]
  readonly duration_s: number
  readonly interval_s: number
  readonly weight: number
  readonly harm_unit: string
  /** Expected harm while the canary has its weight. */
  readonly harm: readonly number[] | null
  readonly canary_requests: readonly number[]
  /** Log likelihood ratio of the tick for who knows everything but chance. */
  readonly oracle_llr: readonly number[] | null
  readonly oracle_kind: string | null
}

/** Cases to judge: what the scorer knows of each, and the lines that a judge is sent. */
export type CaseSet = {
  readonly labels: readonly Label[]
  readonly lines: (name: string) => readonly string[]
}

/** The set in a folder. Throws when there is none. */
export const folderSet = (folder: string): CaseSet => ({
  labels: readLabels(folder),
  lines: (name) => linesOf(join(folder, "cases", `${name}.jsonl.gz`)),
})

/** Labels of the set in a folder. Throws when there is none. */
function readLabels(folder: string): readonly Label[] {
  const file = join(folder, "labels.jsonl.gz")
  if (!existsSync(file))
    throw new Error(`${file} does not exist: --set names a folder with labels.jsonl.gz and cases/`)
  return linesOf(file).map((line) => JSON.parse(line) as Label)
}

/** The lines of a case in order. */
const linesOf = (file: string): readonly string[] =>
  gunzipSync(readFileSync(file)).toString("utf8").trimEnd().split("\n")
