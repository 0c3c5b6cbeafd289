import type { Refusal } from "../core/pipeline/draft.ts"

/** What a problem is told with. */
type Told = {
  /** Of HTTP. */
  readonly status: number
  /** What it means, in a sentence. */
  readonly means: string
  /** What to do about it, in a sentence. */
  readonly next: string
}

/**
 * Every code that an answer of the API may carry. Whoever refuses names one of them, and `/docs/problems` is made of
 * them: what stands there is what is said.
 */
export const problems = {
  "bad-request": {
    status: 400,
    means: "The request is not what this address takes: a field is missing, unknown or of another form.",
    next: "The detail names the field; /openapi.json says what the address takes.",
  },
  "bad-name": {
    status: 400,
    means: "What was given is not the name of an application.",
    next: "A name is a small letter, then small letters, digits and -, forty at most.",
  },
  "reason-missing": {
    status: 400,
    means:
      "The order needs a reason, and sometimes what will prevent it next time; it stands in the journal.",
    next: "Say why in one sentence (reason, --reason), and preventive where the detail asks for it.",
  },
  "no-token": {
    status: 401,
    means: "Whoever changes anything must show a token; reading needs none.",
    next: "Send it as Authorization: Bearer, or sign in at /login. It stands in the file token of the server's data folder.",
  },
  "wrong-token": {
    status: 401,
    means: "The token that was shown is not this server's.",
    next: "Read it anew from the file token of this server's data folder.",
  },
  "cross-origin": {
    status: 403,
    means: "A page of another site tried to give an order.",
    next: "Give orders on Immunity's own pages, on the command line, or by a program with the token.",
  },
  "not-allowed": {
    status: 403,
    means:
      "A rule forbids this order for whoever gives it, or for good: an author approves nothing of their own, and what cannot be undone is not taken back.",
    next: "The detail names the rule, and the way that is left.",
  },
  "not-found": {
    status: 404,
    means: "There is nothing at this address.",
    next: "/openapi.json lists every address.",
  },
  unknown: {
    status: 404,
    means:
      "What the order names is not there: an application, a commit, a rollout, a region, a lock or an instance.",
    next: "Look at what there is: immunity status, or GET /v1/apps.",
  },
  "unknown-app": {
    status: 404,
    means: "No application has this name.",
    next: "Add it with immunity app add URL, or look for its name with immunity status.",
  },
  "unknown-rollout": {
    status: 404,
    means: "The application never had a rollout of this number.",
    next: "Its page and immunity status NAME list those that it had.",
  },
  "unknown-evidence": {
    status: 404,
    means: "Nothing of this hash is kept here.",
    next: "Take the address from a decision that names it; what is older than the retention of evidence is gone.",
  },
  "unknown-log": {
    status: 404,
    means: "No server that answers has a log of this name.",
    next: "immunity servers lists the servers; a week after its last line the log of what is gone goes too.",
  },
  "unknown-server": {
    status: 404,
    means: "No server of this name belongs to this control plane.",
    next: "immunity servers lists them; immunity servers invite lets one join.",
  },
  "wrong-phase": {
    status: 409,
    means:
      "It does not go with where things stand: what is to be changed has ended, or something else must end first.",
    next: "The detail says what stands in the way; look again, and order what is possible now.",
  },
  locked: {
    status: 409,
    means: "A lock keeps anything new from starting.",
    next: "Look at why, then release it with a reason: immunity lock release NAME. In an emergency: immunity override.",
  },
  frozen: {
    status: 409,
    means: "A freeze window of the policy keeps anything new from starting.",
    next: "Wait until it ends; the detail names it. In an emergency: immunity override.",
  },
  "key-reused": {
    status: 422,
    means:
      "The Idempotency-Key was used before, for another order to the same application. This one was not carried out.",
    next: "Give it again under a key of its own. The same order, given again, keeps its key.",
  },
  behind: {
    status: 409,
    means:
      "The application's servers run what its journal never asked for: the store was restored from an older backup, or its database lost writes.",
    next: "What runs keeps running. Start from a later backup if there is one, or let the journal count: immunity resume NAME, with a reason.",
  },
  paused: {
    status: 409,
    means: "A person has paused the application.",
    next: "immunity resume NAME, with a reason.",
  },
  quarantined: {
    status: 409,
    means: "The release failed before and is blocked.",
    next: "Push a fix, or try it again all the same: immunity retry ROLLOUT, with a reason.",
  },
  "no-room": {
    status: 409,
    means:
      "The disk of the control plane's store is nearly full: nothing new is built or started; what runs and rollbacks go on.",
    next: "Make room there; it goes on by itself, unless the detail says that the control plane must be started again.",
  },
  "too-large": {
    status: 413,
    means: "What was sent is larger than this address takes.",
    next: "Send less at once; what is measured can be sent in several parts, or as sums.",
  },
  "wrong-type": {
    status: 415,
    means: "What was sent is of a type that this address cannot read.",
    next: "Say what it is in Content-Type, and send application/json; /openapi.json says what the address takes.",
  },
  "set-aside": {
    status: 409,
    means:
      "The journal of the application holds an event that this version cannot understand; nothing of it is changed.",
    next: "Start the version that wrote the event, or restore the last good backup.",
  },
  "name-taken": {
    status: 409,
    means: "The name belongs to the control plane's own server.",
    next: "Choose another name for the server that shall join.",
  },
  "no-door": {
    status: 409,
    means: "No server can join this control plane.",
    next: "Start it with --agents HOST:PORT, an address that the servers reach.",
  },
  removed: {
    status: 410,
    means: "A person removed the application; nothing of it runs, or it is being ended.",
    next: "Read its history at /a/NAME/timeline. Wait for its end with immunity app remove NAME; then the name may be added again: immunity app add URL --name NAME.",
  },
  stale: {
    status: 412,
    means: "The order rests on something that has changed: another artifact, or newer evidence.",
    next: "Look again, and order what you then still want.",
  },
  changed: {
    status: 412,
    means: "The application has changed since the version that If-Match names.",
    next: "Read it again; its ETag is the version.",
  },
  "invalid-policy": {
    status: 422,
    means: "What shall be pinned is not valid.",
    next: "The detail says what and where; docs/guides/your-app-in-15-minutes.md says what can be pinned.",
  },
  "other-name": {
    status: 422,
    means: "The repository's immunity.yaml names another application than it would be added as.",
    next: "Add it under the name in the file (--name), or change app: there.",
  },
  "unknown-instance": {
    status: 422,
    means: "A measurement comes from an instance that the application does not have.",
    next: "Push under the name that the instance finds in IMMUNITY_INSTANCE.",
  },
  "wrong-release": {
    status: 422,
    means: "A measurement names another release than its instance runs.",
    next: "Push with what the instance finds in IMMUNITY_RELEASE.",
  },
  "unknown-metric": {
    status: 422,
    means: "No metric of that name waits for pushed numbers.",
    next: "Give the metric source: push in immunity.yaml; the detail lists those that have it.",
  },
  "wrong-shape": {
    status: 422,
    means: "The numbers do not go with the kind of the metric.",
    next: "The detail says what this kind takes; docs/guides/metrics.md shows all of them.",
  },
  "wrong-time": {
    status: 422,
    means: "A measurement is older than five minutes, or lies in the future.",
    next: "Set the clock of the machine, or leave the time out.",
  },
  "too-many": {
    status: 429,
    means: "More numbers wait to be judged than are kept.",
    next: "Push sums of a few seconds instead of every event.",
  },
  internal: {
    status: 500,
    means: "Immunity itself failed.",
    next: "Its log says more; immunity doctor looks at what it rests on.",
  },
  "too-many-listeners": {
    status: 503,
    means: "As many as it can serve follow what happens already.",
    next: "Try again in a few seconds, and close what nobody reads.",
  },
  "not-leader": {
    status: 503,
    means: "Another control plane holds the application.",
    next: "Try again in a few seconds, or there.",
  },
} as const satisfies Readonly<Record<Refusal["code"], Told>> & Readonly<Record<string, Told>>

export type ProblemCode = keyof typeof problems

/** Where an answer sends whoever wants to know more. */
export const addressOf = (code: ProblemCode): string => `/docs/problems#${code}`
