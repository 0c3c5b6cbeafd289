import { spawn } from "node:child_process"
import { createInterface } from "node:readline"
import type { Obs } from "../../src/main/judge-stream/contract.ts"
import { readLine } from "../../src/main/judge-stream/contract.ts"
import { Increments } from "../../src/main/judge-stream/increments.ts"
import { StreamJudge } from "../../src/main/judge-stream/stream-judge.ts"
import { kayenta } from "./policies/kayenta.ts"
import { oracle } from "./policies/oracle.ts"
import { peek } from "./policies/peek.ts"
import type { MakePolicy } from "./policies/policy.ts"
import { sequential, textbook } from "./policies/sequential.ts"
import { argo, flagger } from "./policies/windowed.ts"
import type { Outcome } from "./scores.ts"
import type { CaseSet, Label } from "./set.ts"

const immunity: MakePolicy = (header) => {
  const judge = new StreamJudge(header)
  return { tick: (t, end, added) => judge.tick(t, end, added).decision }
}

/** Ours first, then what today's tools do, then the bounds. */
export const policies: Readonly<Record<string, MakePolicy>> = {
  immunity,
  flagger,
  argo,
  "kayenta-5m": kayenta(300),
  "kayenta-10m": kayenta(600),
  "peek-z": peek,
  "e-naive": textbook,
  sequential,
  oracle,
}

/** What a policy decides of a case, in this process. */
export function runPolicy(make: MakePolicy, { lines: linesFor }: CaseSet, label: Label): Outcome {
  const [first, ...lines] = linesFor(label.case).map(readLine)
  if (first?.type !== "header") throw new Error(`${label.case}: its first line is no header`)
  const increments = new Increments(first)
  const policy = make(first, label)
  let added: Obs[] = []
  for (const line of lines) {
    if (line.type === "obs") {
      const obs = increments.of(line)
      if (obs) added.push(obs)
    } else if (line.type === "tick") {
      const decision = policy.tick(line.t, line.end === true, added)
      added = []
      if (decision !== "hold") return { case: label.case, t: line.t, decision }
    }
  }
  return { case: label.case, t: label.duration_s, decision: "hold" }
}

/**
 * What a program decides of a case, in lock step: the next line goes out only after its answer to a
 * tick, so it cannot look ahead. Its answer counts at the time of the tick.
 */
export async function runProgram(
  command: string,
  { lines }: CaseSet,
  label: Label,
  patience = 20_000,
): Promise<Outcome> {
  const child = spawn("sh", ["-c", `exec ${command}`], { stdio: ["pipe", "pipe", "inherit"] })
  const ended = new Promise<never>((_, fail) => {
    child.once("error", fail)
    child.once("exit", (code) => fail(new Error(`the judge ended early with ${code}`)))
  })
  ended.catch(() => {})
  child.stdin.on("error", () => {})
  const answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const outcome = { case: label.case, t: label.duration_s, decision: "hold" as const }
  try {
    for (const text of lines(label.case)) {
      child.stdin.write(`${text}\n`)
      const line = readLine(text)
      if (line.type !== "tick") continue
      const answer = await Promise.race([answers.next(), ended, tooLate(patience)])
      const decision = decisionIn(answer.value)
      if (decision !== "hold") return { case: label.case, t: line.t, decision }
    }
    return outcome
  } catch (error) {
    return { ...outcome, decision: "failed", reason: error instanceof Error ? error.message : String(error) }
  } finally {
    child.kill("SIGKILL")
  }
}

async function tooLate(patience: number): Promise<never> {
  await new Promise((done) => setTimeout(done, patience).unref())
  throw new Error(`no answer within ${patience / 1000} s`)
}

function decisionIn(line: unknown): "hold" | "rollback" | "promote" {
  if (typeof line !== "string") throw new Error("the judge ended early")
  const { decision } = JSON.parse(line) as { decision?: unknown }
  if (decision === "hold" || decision === "rollback" || decision === "promote") return decision
  throw new Error(`a bad decision: ${line}`)
}
