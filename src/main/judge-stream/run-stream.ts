import { createInterface } from "node:readline"
import type { Header, Obs } from "./contract.ts"
import { readLine } from "./contract.ts"
import { Increments } from "./increments.ts"
import { StreamJudge } from "./stream-judge.ts"

/** Reads a stream to its end; one decision line a tick. Throws with the line's number on a bad line. */
export async function runStream(input: NodeJS.ReadableStream, output: NodeJS.WritableStream): Promise<void> {
  let running: { header: Header; judge: StreamJudge; increments: Increments } | undefined
  let added: Obs[] = []
  let number = 0
  for await (const text of createInterface({ input })) {
    number += 1
    if (text.trim() === "") continue
    const line = parse(text, number)
    if (line.type === "header") {
      running = { header: line, judge: new StreamJudge(line), increments: new Increments(line) }
      continue
    }
    if (!running) throw new Error(`line ${number}: ${line.type} before the header; send the header first`)
    if (line.type === "obs") {
      const obs = running.increments.of(line)
      if (obs) added.push(obs)
      continue
    }
    const { decision, reason } = running.judge.tick(line.t, line.end === true, added)
    added = []
    output.write(`${JSON.stringify({ case: running.header.case, t: line.t, decision, reason })}\n`)
  }
}

function parse(text: string, number: number) {
  try {
    return readLine(text)
  } catch (error) {
    throw new Error(`line ${number}: ${error instanceof Error ? error.message : String(error)}`)
  }
}
