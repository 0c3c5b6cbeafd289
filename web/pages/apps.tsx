import type { AppSummary } from "../../src/api/contract/views.ts"
import { Badge, type Common, Layout } from "../layout.tsx"

type List = {
  readonly apps: readonly AppSummary[]
  /** Where the next page begins; absent on the last one. */
  readonly next: string | undefined
  /** What was looked for. */
  readonly q: string
  readonly total: number
  readonly asking: number
}

/** All applications; those that need a person come first. */
export function Apps(props: Common & List) {
  const { asking, next, q, total } = props
  return (
    <Layout {...props} title="Applications">
      <h1>
        {total === 0
          ? q
            ? `No application is called like ${q}`
            : "No applications yet"
          : asking > 0
            ? `${asking} of ${total} need a person`
            : "You need to do nothing right now"}
      </h1>
      {(q !== "" || next !== undefined || total > props.apps.length) && (
        <form method="get" action="/">
          <label>
            Part of a name <input name="q" value={q} maxLength={40} />
          </label>{" "}
          <button type="submit">Look for it</button>
        </form>
      )}
      {total === 0 && q === "" && (
        <p>
          See it work: <code>npm run demo</code>. Add yours: <code>immunity app add URL</code>.
        </p>
      )}
      <ul class="cards">
        {props.apps.map((app) => (
          <li class="card">
            <h2>
              <a href={`/a/${app.app}`}>{app.app}</a> <Badge tone={app.tone} word={app.word} />
            </h2>
            <p>{app.sentence}</p>
            <p class="quiet">{app.todo}</p>
          </li>
        ))}
      </ul>
      {next !== undefined && (
        <p>
          <a href={`/?${new URLSearchParams({ ...(q ? { q } : {}), after: next })}`} rel="next">
            More of {total} applications
          </a>
        </p>
      )}
    </Layout>
  )
}
