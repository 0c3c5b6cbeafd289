/** Keeps a page as it is on the server: hears of a change, asks for the page anew, replaces what differs. */
const app = document.body.dataset.app ?? ""
const line = document.querySelector("#live")
let lost = 0
let waiting = false

const say = (text: string): void => {
  if (line && line.textContent !== text) line.textContent = text
}

async function refresh(): Promise<void> {
  if (waiting || document.hidden) return
  waiting = true
  // Several events of one decision are one change to look at.
  await new Promise((resolve) => setTimeout(resolve, 300))
  waiting = false
  const typing =
    document.activeElement instanceof HTMLInputElement || document.querySelector("details[open]") !== null
  if (typing) {
    say("Something changed; close the form to see it")
    return
  }
  const answer = await fetch(location.href, { headers: { accept: "text/html" } }).catch(() => undefined)
  if (!answer?.ok) return
  const next = new DOMParser().parseFromString(await answer.text(), "text/html")
  const fresh = next.querySelector("main")
  const shown = document.querySelector("main")
  if (fresh && shown && fresh.innerHTML !== shown.innerHTML) {
    const place = scrollY
    shown.replaceWith(document.adoptNode(fresh))
    scrollTo(0, place)
  }
  document.title = next.title
  say(`Live, ${new Date().toISOString().slice(11, 19)} UTC`)
}

const events = new EventSource(`/v1/events${app ? `?app=${encodeURIComponent(app)}` : ""}`)
events.onopen = () => {
  if (lost > 0) void refresh()
  lost = 0
  say("Live")
}
events.onerror = () => {
  lost ||= Date.now()
  say(`Live updates lost ${Math.round((Date.now() - lost) / 1000)} s ago; this may be old`)
}
for (const type of [
  "looked",
  "rollout-queued",
  "rollout-started",
  "provisioning-started",
  "verifying-started",
  "mirroring-started",
  "step-started",
  "bake-started",
  "held",
  "hold-ended",
  "gate-approved",
  "abort-started",
  "weight-returned",
  "rolled-back",
  "rollout-succeeded",
  "rollout-failed",
  "rollout-cancelled",
  "contract-held",
  "room-lacking",
  "pools-released",
  "drill-started",
  "drill-ready",
  "drill-ended",
  "drill-cleared",
  "failure-planned",
  "failure-passed",
  "strength-missing",
  "locked",
  "unlocked",
  "build-started",
  "build-succeeded",
  "build-failed",
  "commit-found",
  "commit-refused",
  "instance-ready",
  "instance-crashed",
  "instance-modified",
  "instance-stopped",
  "servers-ahead",
  "reset",
]) {
  events.addEventListener(type, () => void refresh())
}
document.addEventListener("visibilitychange", () => void refresh())
