import type { ComponentChildren } from "preact"
import type { Tone } from "../src/api/contract/views.ts"
import { toneIcon } from "./words.ts"

export type Common = {
  readonly now: number
  readonly signedIn: boolean
  /** Why nothing is changed anywhere; empty while everything goes on. */
  readonly killed: readonly string[]
}

type Props = Common & {
  readonly title: string
  readonly app?: string | undefined
  readonly children: ComponentChildren
}

/** The frame of every page: where one is, where one can go, whether what one sees is live. */
export function Layout({ title, app, now, signedIn, killed, children }: Props) {
  return (
    <html lang="en">
      <head>
        <meta charSet="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <title>{`${title} · Immunity`}</title>
        <link rel="stylesheet" href="/assets/style.css" />
        <link rel="icon" href="data:," />
        <script type="module" src="/assets/live.js" />
      </head>
      <body data-app={app ?? ""}>
        <a class="skip" href="#main">
          Skip to the content
        </a>
        <header>
          <nav aria-label="Main">
            <a class="home" href="/">
              Immunity
            </a>
            {app && (
              <>
                <a href={`/a/${app}`}>{app}</a>
                <a href={`/a/${app}/timeline`}>Timeline</a>
                <a href={`/a/${app}/servers`}>Servers</a>
              </>
            )}
          </nav>
          <p id="live" role="status">
            State of {new Date(now).toISOString().slice(11, 19)} UTC
          </p>
          {signedIn ? <span>signed in</span> : <a href="/login">Sign in</a>}
        </header>
        {killed.length > 0 && (
          <section class="killed" role="alert">
            <strong>The kill switch is set: nothing is changed.</strong> What runs keeps running.
            <ul>
              {killed.map((because) => (
                <li>{because}</li>
              ))}
            </ul>
            <code>immunity kill-switch lift --reason …</code>
          </section>
        )}
        <main id="main">{children}</main>
      </body>
    </html>
  )
}

/** Icon, word and colour together. */
export function Badge({ tone, word }: { readonly tone: Tone; readonly word: string }) {
  return (
    <span class={`badge ${tone}`}>
      <span aria-hidden="true">{toneIcon[tone]}</span> {word}
    </span>
  )
}

/** An order with its reason; works without JavaScript. */
export function Order(props: {
  readonly app: string
  readonly verb: string
  readonly label: string
  /** What it will do, one sentence each. */
  readonly consequences: readonly string[]
  readonly fields?: Readonly<Record<string, string>>
  readonly danger?: boolean
  /** Of its field; where one page gives the same order for several things. */
  readonly id?: string
}) {
  const id = props.id ?? `reason-${props.verb}-${Object.values(props.fields ?? {}).join("-")}`
  return (
    <details class="order">
      <summary>{props.label}</summary>
      <form method="post" action={`/a/${props.app}/do/${props.verb}`}>
        <ul class="consequences">
          {props.consequences.map((sentence) => (
            <li>{sentence}</li>
          ))}
        </ul>
        {Object.entries(props.fields ?? {}).map(([name, value]) => (
          <input type="hidden" name={name} value={value} />
        ))}
        <label for={id}>Why? It stands in the journal.</label>
        <input id={id} name="reason" required maxLength={2000} autocomplete="off" />
        <button type="submit" class={props.danger ? "danger" : ""}>
          {props.label}
        </button>
      </form>
    </details>
  )
}
