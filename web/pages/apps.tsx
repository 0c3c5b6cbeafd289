import type { AppSummary } from "../../src/api/contract/views.ts"
import { Badge, type Common, Layout } from "../layout.tsx"

/** All applications; those that need a person come first. */
export function Apps(props: Common & { readonly apps: readonly AppSummary[] }) {
  const asking = props.apps.filter((app) => app.tone === "bad" || app.tone === "wait").length
  return (
    <Layout {...props} title="Applications">
      <h1>
        {props.apps.length === 0
          ? "No applications yet"
          : asking > 0
            ? `${asking} of ${props.apps.length} need a person`
            : "You need to do nothing right now"}
      </h1>
      {props.apps.length === 0 && (
        <p>
          See it work: <code>npm run demo</code>. Add yours: <code>immunity app add URL</code>.
        </p>
      )}
      <ul class="cards">
        {props.apps.map((app) => (
          <li class="card">
            <h2>
              <a href={`/a/${app.app}`}>{app.app}</a> <Badge tone={app.tone} />
            </h2>
            <p>{app.sentence}</p>
            <p class="quiet">{app.todo}</p>
          </li>
        ))}
      </ul>
    </Layout>
  )
}
