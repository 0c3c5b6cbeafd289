import type { AppView, InstanceView, ServerView, TimelineEntry } from "../../src/api/contract/views.ts"
import { Badge, type Common, Layout } from "../layout.tsx"
import { ago } from "../words.ts"
import { Timeline } from "./rollout.tsx"

/** Everything that happened to one application, newest first. */
export function TimelinePage(
  props: Common & { readonly app: AppView; readonly timeline: readonly TimelineEntry[] },
) {
  return (
    <Layout {...props} title={`${props.app.app} timeline`} app={props.app.app}>
      <h1>{props.app.sentence}</h1>
      <Timeline entries={props.timeline} now={props.now} />
    </Layout>
  )
}

/** What cannot be shown, and where to go from there. */
export function ProblemPage(
  props: Common & { readonly status: number; readonly detail: string; readonly more: string },
) {
  const { status, detail, more } = props
  return (
    <Layout {...props} title={status === 404 ? "Not found" : "Not possible"}>
      <h1>{detail.slice(0, 1).toUpperCase() + detail.slice(1)}</h1>
      <p>
        {status === 401 && (
          <>
            <a href="/login">Sign in</a> with it, then give the order again.{" "}
          </>
        )}
        <a href={more}>What this means</a> <a href="/">All applications</a>
      </p>
    </Layout>
  )
}

type Documented = {
  readonly code: string
  readonly status: number
  readonly means: string
  readonly next: string
}

/** Every problem that an answer may carry, and what to do about it. */
export function ProblemsPage(props: Common & { readonly problems: readonly Documented[] }) {
  return (
    <Layout {...props} title="Problems">
      <h1>What a refusal means, and what to do next</h1>
      <p>
        Every answer that is not a success carries a code, a sentence about this very case (
        <code>detail</code>), and the address of its place here (<code>type</code>).
      </p>
      {props.problems.map(({ code, status, means, next }) => (
        <section id={code}>
          <h2>
            <code>{code}</code> <span class="quiet">{status}</span>
          </h2>
          <p>{means}</p>
          <p>{next}</p>
        </section>
      ))}
    </Layout>
  )
}

/** Every instance: what it is, what it should be, and whether somebody touched it. */
export function Servers(
  props: Common & {
    readonly app: AppView
    readonly instances: readonly InstanceView[]
    readonly servers: readonly ServerView[]
  },
) {
  const touched = props.instances.filter((instance) => instance.modified.length > 0).length
  return (
    <Layout {...props} title={`${props.app.app} servers`} app={props.app.app}>
      <h1>
        {touched > 0
          ? `${touched} instances differ from their artifact`
          : "Every instance is as it was built"}
      </h1>
      <h2>Servers</h2>
      <ul class="cards">
        {props.servers.map((server) => (
          <Server {...server} now={props.now} />
        ))}
      </ul>
      <h2>Instances</h2>
      <ul class="cards">
        {props.instances.map((instance) => (
          <li class="card">
            <h3>{instance.id}</h3>
            <p>
              {instance.state} · <code>{instance.commit}</code> · {instance.weight} % of {instance.region} ·{" "}
              {instance.server}
            </p>
            <p class="quiet">
              {instance.address ?? "no address yet"} · {ago(instance.since, props.now)}
              {instance.memory !== undefined && ` · ${Math.round(instance.memory / 1024 / 1024)} MB`}
            </p>
            {instance.refusing && (
              <p>The router asks nothing of it: it refuses connections or fails the router's checks</p>
            )}
            {instance.kept && <p>Kept, so that users can be swapped back to it at once</p>}
            {instance.leaving && <p>Leaves: {instance.leaving}</p>}
            {instance.modified.map((path) => (
              <p>✕ {path}</p>
            ))}
          </li>
        ))}
      </ul>
    </Layout>
  )
}

/** One machine: whether it answers, what is counted there, and whether it is being left. */
function Server(props: ServerView & { readonly now: number }) {
  const tone = !props.answers ? "bad" : props.drained ? "wait" : "ok"
  const word = !props.answers ? "does not answer" : props.drained ? "drained" : "answers"
  const runs = props.instances.map(
    ({ app, commit, count, ready }) => `${app} ${commit}: ${ready} of ${count} ready`,
  )
  return (
    <li class="card">
      <h3>
        {props.server} <Badge tone={tone} word={word} />
      </h3>
      <p>{runs.length > 0 ? runs.join(" · ") : "nothing runs here"}</p>
      <p class="quiet">
        {props.address ?? "the control plane's own machine"}
        {props.version !== undefined && ` · agent ${props.version}`}
        {props.room !== undefined && ` · free: ${props.room}`}
        {!props.routes && " · no router"}
      </p>
      {props.drained && (
        <p>
          Drained by {props.drained.by}, {ago(props.drained.at, props.now)}: {props.drained.because}
        </p>
      )}
      {props.outdated && (
        <p>
          <Badge tone="wait" word="another version" /> {props.outdated.says}. To do: {props.outdated.next}.
        </p>
      )}
      {props.problem && <p>✕ {props.problem}</p>}
    </li>
  )
}

/** What a decision rested on, as it was stored; its address is its hash. */
export function EvidencePage(props: Common & { readonly hash: string; readonly evidence: unknown }) {
  return (
    <Layout {...props} title="Evidence">
      <h1>Evidence {props.hash.slice(0, 12)}</h1>
      <p>
        The JSON that the decision used; its sha256 is its address.{" "}
        <a href={`/v1/evidence/${props.hash}`}>As JSON</a>
      </p>
      <pre>{JSON.stringify(props.evidence, null, 2)}</pre>
    </Layout>
  )
}

export function Login(props: Common & { readonly to: string }) {
  return (
    <Layout {...props} title="Sign in">
      <h1>Sign in</h1>
      <p>
        The token stands in the file <code>token</code> of the server's data folder. Reading needs none.
      </p>
      <form method="post" action="/login">
        <input type="hidden" name="to" value={props.to} />
        <label for="token">Token</label>
        <input id="token" name="token" type="password" required autocomplete="current-password" />
        <button type="submit">Sign in</button>
      </form>
    </Layout>
  )
}
