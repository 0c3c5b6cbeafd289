import type { Application } from "./application.ts"
import { obey } from "./commands.ts"
import { Draft, type Limits, type Refusal } from "./draft.ts"
import type { Recorded } from "./events.ts"
import { learn } from "./facts.ts"
import type { Command, Fact, Input } from "./input.ts"
import { settle } from "./settle.ts"

/** What follows from an input: events to store together, or a refusal that changes nothing. */
export type Decided = { readonly events: readonly Recorded[] } | { readonly refused: Refusal }

/**
 * All judgement of one application. A command is obeyed or refused, a fact is learned; then every rule
 * that has become due is applied until nothing more follows.
 */
export function decide(state: Application, input: Input, limits: Limits = {}): Decided {
  if (state.ahead && isFact(input)) return { events: [] }
  const draft = new Draft(state, input.at, input.by, limits)
  const refused = isFact(input) ? learn(draft, input) : obey(draft, input, input.by)
  if (refused) return { refused }
  if (!draft.state.ahead) settle(draft)
  return { events: draft.events }
}

const facts: ReadonlySet<string> = new Set<Fact["type"]>([
  "commit-seen",
  "job-ended",
  "observed",
  "looked",
  "tick",
])

const isFact = (input: Command | Fact): input is Fact => facts.has(input.type)
