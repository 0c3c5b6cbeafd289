import type { AppView, RegionView, RolloutSummary } from "../../src/api/contract/views.ts"
import { Badge, type Common, Layout, Order } from "../layout.tsx"
import { ago, left } from "../words.ts"

/** The pipeline at a glance: the sentence, then every region in order. */
export function App(props: Common & { readonly app: AppView }) {
  const { app, now } = props
  if (app.removed?.endedAt !== undefined) return <Removed {...props} />
  return (
    <Layout {...props} title={app.app} app={app.app}>
      <section class={`hero ${app.tone}`}>
        <h1>
          <Badge tone={app.tone} word={app.word} /> {app.sentence}
        </h1>
        <p>{app.todo}</p>
      </section>
      {app.problems.length > 0 && (
        <section class="notice" aria-label="Problems">
          <h2>What Immunity itself cannot do right now</h2>
          <ul>
            {app.problems.map(({ part, problem }) => (
              <li>
                <strong>{part}</strong>: {problem}
              </li>
            ))}
          </ul>
        </section>
      )}
      {app.locks.map((lock) => (
        <section class="notice">
          <h2>
            Locked: {lock.scope}, by {lock.by}, {ago(lock.at, now)}
          </h2>
          <p>{lock.because}</p>
          {lock.rollout !== undefined && (
            <p>
              <a href={`/a/${app.app}/r/${lock.rollout}`}>Why? Rollout {lock.rollout}</a>
            </p>
          )}
          {app.behind === undefined && (
            <Order
              app={app.app}
              verb="unlock"
              label="Unlock"
              consequences={["new commits may start again", "the blocked release stays blocked"]}
              fields={{ lock: String(lock.id) }}
            />
          )}
        </section>
      ))}
      <h2>Regions</h2>
      <ol class="regions">
        {app.regions.map((region) => (
          <Region app={app} region={region} now={now} />
        ))}
      </ol>
      {app.drill && (
        <p>
          <Badge tone="busy" word="drill" /> {app.drill.sentence}.
        </p>
      )}
      <h2>Rollouts</h2>
      <Rollouts app={app.app} rollouts={app.rollouts} now={now} />
      <h2>Commits</h2>
      <table>
        <thead>
          <tr>
            <th scope="col">Commit</th>
            <th scope="col">Subject</th>
            <th scope="col">State</th>
          </tr>
        </thead>
        <tbody>
          {app.commits.map((commit) => (
            <tr>
              <td>
                <code>{commit.commit}</code>
              </td>
              <td>
                {commit.subject} <span class="quiet">{commit.author}</span>
                {commit.detail && <pre>{commit.detail}</pre>}
              </td>
              <td>
                <Badge tone={commit.tone} word={commit.state} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      {app.cost && <p class="quiet">{app.cost}</p>}
      {app.removed ? null : <Steer app={app} />}
    </Layout>
  )
}

/** What concerns all of it: whether it advances, and whether it is there at all. */
function Steer({ app }: { readonly app: AppView }) {
  const { consequences, refused } = app.removal
  return (
    <>
      {app.resume ? (
        <Order app={app.app} verb="resume" label="Resume" consequences={app.resume} />
      ) : (
        <Order
          app={app.app}
          verb="pause"
          label="Pause"
          consequences={["nothing new advances", "going back stays possible"]}
        />
      )}
      {refused === undefined ? (
        <Order app={app.app} verb="remove" label={`Remove ${app.app}`} consequences={consequences} danger />
      ) : (
        <p class="quiet">It cannot be removed now: {refused}.</p>
      )}
    </>
  )
}

/** Nothing of it is left but what happened. */
function Removed(props: Common & { readonly app: AppView }) {
  const { app } = props
  return (
    <Layout {...props} title={app.app} app={app.app}>
      <section class="hero none">
        <h1>
          <Badge tone={app.tone} word={app.word} /> {app.sentence}
        </h1>
        <p>{app.todo}</p>
      </section>
      <p>
        <a href={`/a/${app.app}/timeline`}>What happened to it</a>
      </p>
    </Layout>
  )
}

function Region({
  app,
  region,
  now,
}: {
  readonly app: AppView
  readonly region: RegionView
  readonly now: number
}) {
  const { active, serving } = region
  return (
    <li class="card">
      <h3>
        {region.name} {region.production && <span class="quiet">users</span>}
      </h3>
      {serving ? (
        <p>
          <Badge
            tone={region.ready >= region.size ? "ok" : "bad"}
            word={`${region.ready} of ${region.size}`}
          />{" "}
          <code>{serving.commit}</code> {serving.subject}
        </p>
      ) : (
        <p class={active && active.weight > 0 ? "" : "quiet"}>{withoutStable(active)}</p>
      )}
      {active && (
        <p>
          <Badge tone={active.tone} word={active.phase} />{" "}
          <a href={`/a/${app.app}/r/${active.number}`}>{active.sentence}</a>
        </p>
      )}
      {region.strength && (
        <p class={region.strength.attention ? "" : "quiet"}>
          {region.strength.attention && <Badge tone="bad" word="not at full strength" />}{" "}
          {region.strength.sentence}
          {region.strength.nextAt !== undefined &&
            ` · the next planned failure ${region.strength.nextAt > now ? `in ${left(region.strength.nextAt, now)}` : "when nothing rolls"}`}
        </p>
      )}
      {region.drill && (
        <p class={region.drill.state === "failed" ? "" : "quiet"}>
          {region.drill.state === "failed" && <Badge tone="bad" word="drill failed" />}{" "}
          {region.drill.sentence} ({ago(region.drill.at, now)})
        </p>
      )}
      {serving && app.behind === undefined && (
        <Order
          app={app.app}
          verb="drill"
          label={`Drill ${region.name}`}
          consequences={[
            `${region.size} fresh instances of ${serving.commit} start beside it; no user is sent to them`,
            "its tests run against them, then they are ended; a rollout makes it give way",
          ]}
          fields={{ region: region.name }}
        />
      )}
      <p class="quiet">
        {region.listen}
        {region.gate && " · gate"}
        {region.mirror && ` · copies ${region.mirror}`}
      </p>
    </li>
  )
}

/** Until its first release has succeeded a region has no old one: what serves then is that release itself, if anything. */
const withoutStable = (active: RolloutSummary | undefined): string =>
  active && active.weight > 0
    ? `${active.commit} serves its users: the first release here, still watched, with none to go back to.`
    : "Nothing serves here yet."

function Rollouts(props: {
  readonly app: string
  readonly rollouts: readonly RolloutSummary[]
  readonly now: number
}) {
  if (props.rollouts.length === 0) return <p class="quiet">No rollout yet.</p>
  return (
    <table>
      <thead>
        <tr>
          <th scope="col">Rollout</th>
          <th scope="col">What</th>
          <th scope="col">State</th>
        </tr>
      </thead>
      <tbody>
        {props.rollouts.map((rollout) => (
          <tr>
            <td>
              <a href={`/a/${props.app}/r/${rollout.number}`}>#{rollout.number}</a>
            </td>
            <td>
              {rollout.sentence} <span class="quiet">{ago(rollout.queuedAt, props.now)}</span>
            </td>
            <td>
              <Badge tone={rollout.tone} word={rollout.phase} />
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  )
}
