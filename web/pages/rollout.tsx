import type {
  AnswersView,
  AppView,
  MigrationView,
  RolloutView,
  Series,
  TimelineEntry,
  VerdictView,
} from "../../src/api/contract/views.ts"
import { Badge, type Common, Layout, Order } from "../layout.tsx"
import { lasted, left, time, value, verdictIcon, verdictWord } from "../words.ts"
import { Chart } from "./chart.tsx"

const labels: Readonly<Record<string, string>> = {
  approve: "Approve",
  reject: "Reject",
  halt: "Halt",
  rollback: "Roll back",
  resume: "Resume",
  retry: "Try again",
}

/** What it does to what both releases share, and what is promised about it while both run. */
function Migration(props: { readonly rollout: RolloutView; readonly migration: MigrationView }) {
  const { migration } = props
  const { app, summary, behind } = props.rollout
  return (
    <section>
      <h2>{migration.kind === "contract" ? "A contract step" : "It expands what releases share"}</h2>
      <p>{migration.window}.</p>
      <ul>
        {migration.paths.map((path) => (
          <li>
            <code>{path}</code>
          </li>
        ))}
        {migration.shared.map((promise) => (
          <li>{promise}</li>
        ))}
      </ul>
      {migration.noWayBack && <p>No swap back: {migration.noWayBack}.</p>}
      {(behind === undefined ? migration.waitsForKept : []).map((region) => (
        <Order
          app={app}
          verb="release-pools"
          label={`Give up the kept pool at ${region}`}
          consequences={[
            "nobody can be swapped back to it any more; its instances are ended",
            "the contract step goes on",
          ]}
          fields={{ region, rollout: String(summary.number) }}
          danger={true}
        />
      ))}
    </section>
  )
}

/** One rollout for somebody who was just woken up: what, who was hurt, what was done, what is left to do. */
export function RolloutPage(props: Common & { readonly rollout: RolloutView; readonly app: AppView }) {
  const { rollout } = props
  const { summary, harm, look } = rollout
  return (
    <Layout {...props} title={`${rollout.app}#${summary.number}`} app={rollout.app}>
      <section class={`hero ${summary.tone}`}>
        <p>
          <Badge tone={summary.tone} word={summary.phase} />
        </p>
        <h1>{summary.sentence}</h1>
        {harm.bad > 0 && (
          <p>
            {harm.bad} of {harm.requests} requests to it were answered badly
            {harm.milliseconds > 0 && ` in ${lasted(harm.milliseconds)}`}.
          </p>
        )}
        {rollout.back && (
          <p>
            All users were on {rollout.back.to} {lasted(rollout.back.milliseconds)} after the decision.
          </p>
        )}
        <p>
          {rollout.behind ??
            (props.app.locks.length > 0
              ? props.app.todo
              : summary.asks
                ? "A person must decide."
                : "You need to do nothing right now.")}
        </p>
        {summary.wait && (
          <p>
            Waits for {summary.wait.for}
            {summary.wait.until !== undefined && `, ${left(summary.wait.until, props.now)} left`}; then:{" "}
            {summary.wait.then}.
          </p>
        )}
        <div class="orders">
          {rollout.actions.map((action) => (
            <Order
              app={rollout.app}
              verb={action}
              label={`${labels[action] ?? action} ${summary.commit}`}
              consequences={rollout.consequences[action] ?? []}
              danger={action === "rollback" || action === "halt"}
              fields={{
                rollout: String(summary.number),
                ...(action === "approve" ? { digest: rollout.digest ?? "", evidence: rollout.evidence } : {}),
              }}
            />
          ))}
        </div>
      </section>
      {rollout.migration && <Migration rollout={rollout} migration={rollout.migration} />}
      {look && (
        <section>
          <h2>
            Why: look {look.number}, {look.stage}
          </h2>
          <p>
            Rule <strong>{look.decision.rule}</strong> says <strong>{look.decision.action}</strong> (
            {look.decision.autonomy}): {look.decision.because}.{" "}
            <a href={`/e/${look.evidence}`}>The evidence</a>
          </p>
          <ul class="cards tiles">
            {look.verdicts.map((verdict) => (
              <Tile
                verdict={verdict}
                series={rollout.series.find((series) => series.metric === verdict.metric)}
              />
            ))}
          </ul>
        </section>
      )}
      {rollout.tests.length > 0 && (
        <section>
          <h2>Tests</h2>
          <ul>
            {rollout.tests.map(({ name, job, passed, because }) => (
              <li>
                {because ?? `${name}: ${passed === undefined ? "runs" : passed ? "passed" : "failed"}`} · its
                output: <code>immunity logs {job}</code>
              </li>
            ))}
          </ul>
        </section>
      )}
      {rollout.answers && <Answers rollout={rollout} answers={rollout.answers} />}
      {rollout.foresight.length > 0 && (
        <section>
          <h2>What this comparison can see</h2>
          <ul>
            {rollout.foresight.map((sentence) => (
              <li>{sentence}</li>
            ))}
          </ul>
        </section>
      )}
      <section>
        <h2>Steps</h2>
        {rollout.bound && <p>It climbs as the evidence allows: {rollout.bound}.</p>}
        <ol>
          {rollout.steps.map((step) => (
            <li>
              {Math.round(step.weight * 100)} % of the traffic on {Math.round(step.capacity * 100)} % of the
              capacity: {step.state}
            </li>
          ))}
        </ol>
      </section>
      <section>
        <h2>Cost</h2>
        <p>
          {rollout.cost.minutes} instance minutes beside what serves; such instances now: {rollout.cost.extra}
          .
        </p>
        {rollout.cost.says.map((sentence) => (
          <p>{sentence}.</p>
        ))}
      </section>
      {rollout.configuration.version > 0 && (
        <section>
          <h2>Configuration {rollout.configuration.version}</h2>
          {rollout.configuration.changes.length === 0 ? (
            <p>The same as that of what it replaces.</p>
          ) : (
            <ul>
              {rollout.configuration.changes.map((change) => (
                <li>
                  <code>{change}</code>
                </li>
              ))}
            </ul>
          )}
        </section>
      )}
      <h2>What happened</h2>
      <Timeline entries={[...rollout.timeline].reverse()} now={props.now} />
      <p class="quiet">
        Artifact <code>{rollout.digest ?? "none"}</code>, attempt {summary.attempt}, strategy{" "}
        {summary.strategy}
      </p>
    </Layout>
  )
}

const answerWords: Readonly<Record<string, string>> = {
  proven: "differs",
  suspected: "may differ",
  accepted: "accepted",
}

/** What the candidate answers otherwise, and the way to say that it means to. */
function Answers({ rollout, answers }: { readonly rollout: RolloutView; readonly answers: AnswersView }) {
  const { app, summary, behind } = rollout
  return (
    <section>
      <h2>Answers</h2>
      <p>
        {answers.compared} requests compared
        {answers.paths.length === 0 && ", no path differs on the candidate alone"}.
        {answers.accepted.length > 0 && ` Accepted for ${summary.commit}: ${answers.accepted.join(", ")}.`}
      </p>
      <ul class="cards">
        {answers.paths.map((one, at) => (
          <li class="card">
            <h3>
              <code>
                {one.endpoint} {one.path}
              </code>
            </h3>
            <p>
              <strong>{answerWords[one.state]}</strong>
              {one.structural && " in shape"}
              {one.stable !== undefined && one.candidate !== undefined && (
                <>
                  : {one.stable} → {one.candidate}
                </>
              )}
            </p>
            <p class="quiet">
              {one.raw} times on the candidate alone, {one.noise} times on a second stable instance
            </p>
            {one.state !== "accepted" && behind === undefined && (
              <Order
                app={app}
                verb="accept-answers"
                label="Accept this change"
                id={`reason-accept-${at}`}
                consequences={[
                  `${one.path} of ${one.endpoint}, and what is below it, may be different in ${summary.commit}`,
                  `it holds for ${summary.commit} in every region, and for no other commit`,
                ]}
                fields={{ rollout: String(summary.number), path: `${one.endpoint} ${one.path}` }}
              />
            )}
          </li>
        ))}
      </ul>
      {(behind === undefined ? answers.withdrawable : []).map((path, at) => (
        <Order
          app={app}
          verb="withdraw-answers"
          label={`Take back: ${path}`}
          id={`reason-withdraw-${at}`}
          consequences={[
            `${path} counts again as a difference of ${summary.commit}, in every region`,
            "what was measured before is judged anew: it may stop a rollout of this release",
          ]}
          fields={{ rollout: String(summary.number), path }}
        />
      ))}
    </section>
  )
}

function Tile({ verdict, series }: { readonly verdict: VerdictView; readonly series: Series | undefined }) {
  const { unit, difference } = verdict
  return (
    <li class={`card verdict ${verdict.kind}`}>
      <h3>
        {verdict.metric} {verdict.critical && <span class="quiet">critical</span>}{" "}
        {verdict.advisory && <span class="quiet">advisory</span>}
      </h3>
      <p class="verdict-word">
        <span aria-hidden="true">{verdictIcon[verdict.kind]}</span> {verdictWord[verdict.kind]}
      </p>
      {verdict.canary && verdict.control && (
        <p>
          {value(verdict.control.value, unit)} → {value(verdict.canary.value, unit)}
        </p>
      )}
      {difference && (
        <p class="quiet">
          difference {value(difference.estimate, unit)} [{value(difference.low, unit)},{" "}
          {value(difference.high, unit)}]
        </p>
      )}
      {series && <Chart series={series} unit={unit} />}
      <p>{verdict.because}</p>
    </li>
  )
}

export function Timeline(props: { readonly entries: readonly TimelineEntry[]; readonly now: number }) {
  const { entries, now } = props
  return (
    <ol class="timeline">
      {entries.map((entry) => (
        <li>
          <time dateTime={new Date(entry.at).toISOString()}>{time(entry.at, now)}</time>
          <span>
            <strong>{entry.title}</strong> <span class="quiet">{entry.because}</span>
            {entry.evidence && (
              <>
                {" "}
                <a href={`/e/${entry.evidence}`}>evidence of entry {entry.sequence}</a>
              </>
            )}
          </span>
          <span class="quiet">{entry.by}</span>
        </li>
      ))}
    </ol>
  )
}
