import { readFileSync } from "node:fs"
import { describe, expect, it } from "vitest"
import type { Policy } from "../core/model/policy.ts"
import { type Read, readPolicy } from "./read-policy.ts"

const short = `version: 1
app: papi
start: node server.js
regions:
  - { name: sandbox, listen: 8101 }
  - { name: production, listen: 8102, gate: button }
metrics: http
`
const read = (text: string, pins?: string): Read =>
  readPolicy(text, { file: "immunity.yaml", pins, now: Date.parse("2026-11-21T12:00Z") })
const policyOf = (found: Read): Policy => {
  if ("problems" in found) throw new Error(found.problems.map(({ message }) => message).join("\n"))
  return found.policy
}
const codesOf = (found: Read): readonly string[] =>
  "problems" in found ? found.problems.map(({ code }) => code) : found.warnings.map(({ code }) => code)

describe("the short form", () => {
  it("means one copy, the own router's metrics, the default table, and a person before anything advances", () => {
    const policy = policyOf(read(short))
    expect(policy.regions.map(({ name, size, strategy }) => [name, size, strategy])).toEqual([
      ["sandbox", 1, "blue-green"],
      ["production", 1, "one-at-a-time"],
    ])
    expect(policy.metrics.map(({ name }) => name)).toContain("error_rate")
    expect(policy.decisions.fallback).toBe("hold")
    expect(policy.run.drain).toBe(20_000)
    expect(policy.lock.on).toEqual(["halt", "rollback"])
  })

  it("reads the same twice: the same text is the same policy", () => {
    expect(policyOf(read(short))).toEqual(policyOf(read(short)))
  })
})

describe("the router", () => {
  it("is our own where nothing is said, HAProxy where the file says so, and what the server pins above both", () => {
    const haproxy = `${short}router: haproxy\n`
    expect(policyOf(read(short)).router).toBe("embedded")
    expect(policyOf(read(haproxy)).router).toBe("haproxy")
    expect(policyOf(read(haproxy, "router: embedded\n")).router).toBe("embedded")
  })

  it("is one of those that there are", () => {
    const found = read(`${short}router: envoy\n`)
    expect("problems" in found && found.problems[0]?.message).toBe(
      '"envoy" is not known here. Known here: embedded, haproxy.',
    )
  })
})

describe("migrations", () => {
  const declared = `migrations: { paths: ["db/**"], contract: ["db/*_contract_*"], window: 24h, shared: ["orders"] }\n`

  it("say which files change what releases share, and how long one may go back; the server's declaration wins", () => {
    expect(policyOf(read(short)).migrations).toBeUndefined()
    const said = { paths: ["db/**"], contract: ["db/*_contract_*"], window: 86_400_000, shared: ["orders"] }
    expect(policyOf(read(short + declared)).migrations).toEqual(said)
    expect(policyOf(read(short + declared, `migrations: { paths: ["sql/**"] }\n`)).migrations?.paths).toEqual(
      ["sql/**"],
    )
  })

  it("warn of contract steps that would wait for a person, of a window for nothing, and of two promises at once", () => {
    const warned = (text: string) => codesOf(read(short + text)).filter((code) => code === "C309")
    expect(warned(declared)).toEqual([])
    expect(warned(declared.replace("window: 24h, ", ""))).toEqual(["C309"])
    expect(warned(declared.replace(`contract: ["db/*_contract_*"], `, ""))).toEqual(["C309"])
    expect(warned(`${declared}rollback: { irreversible: ["db/**"] }\n`)).toEqual(["C309"])
    expect(codesOf(read(`${short}migrations: { window: 24h }\n`))).toContain("C102")
    expect(codesOf(read(`${short}migrations: { paths: ["a b"] }\n`))).toContain("C105")
  })
})

describe("what a release may cost beside what serves", () => {
  const two = `${short}surge: { budget: 90m }\n`

  it("is an instance time, and what follows from its end", () => {
    expect(policyOf(read(two)).surge).toEqual({ budget: 5_400_000, then: "release" })
    expect(policyOf(read(short)).surge).toBeUndefined()
    expect(codesOf(read(`${short}surge: { budget: 90 }\n`))).toContain("C102")
    expect(codesOf(read(`${short}surge: { budget: 90m, then: panic }\n`))).toContain("C102")
  })

  it("is warned of when nothing follows, or when it is spent before a release serves everywhere", () => {
    const warned = (text: string) => codesOf(read(text)).filter((code) => code === "C312")
    expect(warned(two)).toEqual([])
    expect(warned(`${two}run: { keep: 0 }\n`)).toEqual(["C312"])
    expect(warned(`${short}surge: { budget: 1s }\n`)).toEqual(["C312"])
  })
})

describe("planned failures", () => {
  const two = short.replace("listen: 8102,", "listen: 8102, size: 2,")
  const failures = (text: string) => policyOf(read(`${two}${text}\n`)).failures

  it("have a budget, hours of their own zone, and a maximum age", () => {
    expect(failures("maxAge: 7d")).toEqual({ maxAge: 7 * 86_400_000 })
    expect(
      failures(`failures: { every: 24h, between: "09:00-16:30", days: Fri-Mon, zone: Europe/Berlin }`),
    ).toEqual({
      every: 86_400_000,
      between: { from: 540, until: 990, days: [5, 6, 0, 1], zone: "Europe/Berlin" },
    })
    const out = two.replace("size: 2", "size: 2, failures: false")
    expect(policyOf(read(`${out}failures: { every: 24h }\n`)).regions[1]?.failures).toBe(false)
  })

  it("have drills beside them, each production region once in so long", () => {
    const drill = (text: string) => policyOf(read(`${two}${text}\n`)).drill
    expect(drill("drill: { every: 7d }")).toEqual({ every: 7 * 86_400_000 })
    expect(drill(`drill: { every: 7d, days: Sat }`)?.between).toMatchObject({
      from: 0,
      until: 1440,
      days: [6],
    })
    expect(codesOf(read(`${two}drill: { every: 1m }\n`))).toEqual(["C311"])
    expect(codesOf(read(`${two}drill: { every: 7d, between: "16:00-09:00" }\n`))).toEqual(["C105"])
    const sandbox = two.replace("gate: button", "traffic: none, gate: button")
    expect(codesOf(read(`${sandbox}drill: { every: 7d }\n`))).toEqual(["C310"])
  })

  it("are refused when they would be a storm, have no hours, or name no time zone; warned of when they never come", () => {
    const codes = (text: string) => codesOf(read(`${two}${text}\n`))
    expect(codes("failures: { every: 5s }")).toEqual(["C311"])
    expect(codes("maxAge: 10s")).toEqual(["C311"])
    expect(codes(`failures: { every: 24h, between: "16:00-09:00" }`)).toEqual(["C105"])
    expect(codes(`failures: { every: 24h, between: "9-16" }`)).toEqual(["C105"])
    expect(codes(`failures: { every: 24h, zone: Mars }`)).toEqual(["C105"])
    expect(codes(`failures: { between: "09:00-16:00" }`)).toEqual(["C102"])
    expect(codesOf(read(`${short}failures: { every: 24h }\n`))).toEqual(["C310"])
  })
})

describe("a ramp", () => {
  const production = "{ name: production, listen: 8102, gate: button }"
  const ramped = (keys: string) =>
    short.replace(production, `{ name: production, listen: 8102, gate: button, ${keys} }`)
  const first = (found: Read) => ("problems" in found ? found.problems[0] : undefined)

  it("is a canary whose weights it chooses itself, with five extra failures a minute unless said otherwise", () => {
    const { strategy, weights, ramp, compare } = policyOf(read(ramped("ramp: adaptive"))).regions[1] ?? {}
    expect(strategy).toBe("canary")
    expect(weights).toEqual([0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1])
    expect(ramp).toEqual({ harm: 5 })
    expect(compare?.for).toBe(300_000)
    expect(policyOf(read(ramped('ramp: { harm: "0.5/min" }'))).regions[1]?.ramp).toEqual({ harm: 0.5 })
    expect(policyOf(read(short)).regions[1]).not.toHaveProperty("ramp")
  })

  it("is refused, with its place, beside other weights, in another strategy, and without a budget", () => {
    const weights = first(read(ramped("canary: [5%, 100%], ramp: adaptive")))
    expect([weights?.code, weights?.line]).toEqual(["C207", 6])
    expect(weights?.column).toBe(
      (ramped("canary: [5%, 100%], ramp: adaptive").split("\n")[5]?.indexOf("ramp:") ?? 0) + 1,
    )
    expect(first(read(ramped("strategy: immutable, ramp: adaptive")))?.message).toBe(
      "a ramp chooses its own weights; keep it or the strategy immutable",
    )
    expect(first(read(ramped("ramp: { harm: 0/min }")))?.message).toBe(
      '"0/min" is not a number a minute, above 0, such as 5/min.',
    )
  })

  it("is refused where nothing it could climb by is measured, or another judge decides", () => {
    const text = ramped("ramp: adaptive")
    expect(first(read(text.replace("metrics: http", "metrics: none")))?.message).toContain("error-proportion")
    expect(first(read(`${text}judge: kayenta\n`))?.message).toContain("the sequential judge")
  })

  it("does not replace weights that the server pins", () => {
    const pinned = policyOf(
      read(ramped("ramp: adaptive"), "regions: { production: { canary: [5%, 100%] } }\n"),
    )
    expect(pinned.regions[1]?.weights).toEqual([0.05, 1])
    expect(pinned.regions[1]?.ramp).toBeUndefined()
  })
})

describe("users who come first", () => {
  const production = "{ name: production, listen: 8102, gate: button }"
  const region = (keys: string) =>
    read(short.replace(production, `{ name: production, listen: 8102, gate: button, ${keys} }`))

  it("are listed beside what they are recognised by, and a selection is named", () => {
    const [, found] = policyOf(
      region("sticky: { cookie: user, first: [anna, u-1], selection: sha256 }"),
    ).regions
    expect(found).toMatchObject({
      sticky: { by: "cookie", name: "user" },
      first: ["anna", "u-1"],
      selection: "sha256",
    })
    const [, byAddress] = policyOf(region("sticky: { by: address, first: [10.0.0.7] }")).regions
    expect(byAddress).toMatchObject({ sticky: { by: "address" }, first: ["10.0.0.7"] })
    expect(policyOf(read(short)).regions[1]).not.toHaveProperty("first")
  })

  it("are refused where nobody is recognised, or by another selection than there is", () => {
    expect(region("sticky: { first: [anna] }")).toHaveProperty("problems")
    expect(region("sticky: { cookie: user, selection: dice }")).toHaveProperty("problems")
  })
})

describe("requests that wait for a swap", () => {
  const region = (hold: string) =>
    read(short.replace("gate: button }", `gate: button, holdRequests: ${hold} }`))

  it("wait as long as the region says, not at all otherwise, and never long", () => {
    expect(policyOf(region("200ms")).regions[1]?.holdRequests).toBe(200)
    expect(policyOf(read(short)).regions[1]).not.toHaveProperty("holdRequests")
    expect(codesOf(region("4s"))).toEqual(["C208"])
  })
})

describe("what HAProxy cannot do", () => {
  const keys = "sticky: { cookie: user, selection: hash }, mirror: { from: sandbox, headers: [x-tenant] }"
  const region = short.replace("gate: button }", `gate: button, ${keys} }`)

  it("is a warning for each key, where HAProxy is chosen, by the file or by the server", () => {
    const warned = read(`${region}router: haproxy\n`)
    expect(codesOf(warned)).toEqual(["C209", "C209"])
    const told = "warnings" in warned ? warned.warnings.map(({ message }) => message) : []
    expect(told).toEqual([expect.stringContaining("sha256"), expect.stringContaining("no other field")])
    expect(codesOf(read(region, "router: haproxy\n"))).toEqual(["C209", "C209"])
    expect(codesOf(read(region))).toEqual([])
    expect(codesOf(read(`${short}router: haproxy\n`))).toEqual([])
  })
})

describe("what the server pins", () => {
  it("keeps a gate that a commit dropped", () => {
    const dropped = short.replace(", gate: button", "")
    expect(policyOf(read(dropped)).regions[1]?.gate).toBeUndefined()
    const pinned = policyOf(read(dropped, "regions:\n  production: { gate: button }\n"))
    expect(pinned.regions[1]?.gate).toBeDefined()
  })

  it("wins over autonomy, decisions and locks of the file", () => {
    const bold = `${short}autonomy: { default: auto, rollback: manual }\nlock: { on: [] }\ndecisions:\n  default: advance\n  rules:\n    - { id: D1, when: {}, then: advance }\n`
    const pins =
      "autonomy: { default: manual, rollback: auto }\nlock: { on: [rollback] }\ndecisions:\n  default: hold\n  rules:\n    - { id: P1, when: { any: worse }, then: rollback }\n"
    const policy = policyOf(read(bold, pins))
    expect(policy.autonomy).toMatchObject({ advance: "manual", rollback: "auto" })
    expect(policy.lock.on).toEqual(["rollback"])
    expect(policy.decisions.rules.map(({ id }) => id)).toEqual(["P1"])
  })

  it("refuses a commit that renames a pinned region away", () => {
    const renamed = short.replace("name: production", "name: prod")
    expect(codesOf(read(renamed, "regions:\n  production: { gate: button }\n"))).toEqual(["C206"])
  })

  it("is told of when it is broken itself, with its place", () => {
    const found = read(short, "regions:\n  production: { gaet: button }\n")
    expect("problems" in found && found.problems[0]).toMatchObject({
      file: "the server's policy",
      code: "C101",
      line: 2,
    })
  })
})

describe("the decision table of a file", () => {
  const table = (rules: string, rest = "  default: hold\n") => `${short}decisions:\n${rest}  rules:\n${rules}`

  it("without a default tells how many cases fall through, and one of them", () => {
    const found = read(table("    - { id: D1, when: { all: ok }, then: advance }\n", ""))
    expect(codesOf(found)).toEqual(["C302"])
    const [warning] = "warnings" in found ? found.warnings : []
    expect(warning?.message).toMatch(/\d+ of \d+ cases match no row .* the first: .*worse/)
  })

  it("that repeats itself is warned of, not refused", () => {
    const rules =
      "    - { id: D1, when: { any: worse }, then: rollback }\n    - { id: D2, when: { critical: worse }, then: rollback }\n    - { id: D3, when: { all: ok }, then: advance }\n"
    expect(codesOf(read(table(rules)))).toEqual(["C307"])
  })
})

describe("metrics from outside", () => {
  const withMetrics = (metrics: string) => read(short.replace("metrics: http", `metrics:\n${metrics}`))
  const metricOf = (metrics: string) => policyOf(withMetrics(metrics)).metrics.at(-1)
  const said = (metrics: string): string => {
    const found = withMetrics(metrics)
    return "problems" in found
      ? found.problems.map(({ code, line, message }) => `${code} line ${line}: ${message}`).join("\n")
      : "it is valid"
  }

  it("come from a Prometheus, from the instances' pages, from JSON, or are pushed", () => {
    expect(
      metricOf(
        "  sources: { prom: { type: prometheus, url: 'http://p:9090', every: 30s } }\n  list:\n    queue: { source: prom, query: queue }",
      ),
    ).toMatchObject({
      kind: "gauge",
      source: { type: "prometheus", url: "http://p:9090", query: "queue", every: 30_000 },
    })
    expect(
      metricOf(
        `  sources: { pages: { type: scrape } }\n  list:\n    checkout: { source: pages, kind: error-proportion, query: requests_total, bad: 'requests_total{code=~"5.."}' }`,
      ),
    ).toMatchObject({
      kind: "error-proportion",
      source: {
        type: "scrape",
        path: "/metrics",
        query: "requests_total",
        bad: 'requests_total{code=~"5.."}',
      },
    })
    expect(
      metricOf(
        `  sources: { bi: { type: json, url: 'https://bi/\${instance}', time: at } }\n  list:\n    orders: { source: bi, kind: events, query: data.0.orders, worse: down }`,
      ),
    ).toMatchObject({ kind: "events", source: { type: "json", query: "data.0.orders", time: "at" } })
    expect(metricOf("  list:\n    orders: { source: push, kind: events }")).toMatchObject({
      kind: "events",
      source: { type: "push" },
    })
  })

  it("are refused with the place and a way out", () => {
    expect(said("  list:\n    a: { source: prm, query: x }")).toMatch(
      /C202 line 9: there is no metrics source "prm"/,
    )
    expect(said("  sources: { prom: { type: prometheus } }")).toMatch(/C102 line 8: .* needs url/)
    expect(said("  sources: { pages: { type: scrape, url: 'http://x' } }")).toMatch(
      /has no url; it has: type/,
    )
    expect(said("  sources: { p: { type: scrape } }\n  list:\n    a: { source: p }")).toMatch(/has no query/)
    expect(
      said("  sources: { p: { type: scrape } }\n  list:\n    a: { source: p, query: 'rate(x[5m])' }"),
    ).toMatch(/line 10: a: .*without functions/)
    expect(
      said("  sources: { j: { type: json, url: 'http://x' } }\n  list:\n    a: { source: j, query: b }"),
    ).toMatch(/must say which instance/)
    expect(
      said(
        `  sources: { j: { type: json, url: 'http://x/\${instance}' } }\n  list:\n    a: { source: j, kind: latency-quantile, query: b }`,
      ),
    ).toMatch(/which json cannot give/)
    expect(
      said(
        "  sources: { p: { type: prometheus, url: 'http://x' } }\n  list:\n    a: { source: p, kind: events, query: 'increase(x[1m])' }",
      ),
    ).toMatch(/again and again: increase/)
    expect(
      said(
        "  sources: { p: { type: scrape } }\n  list:\n    a: { source: p, kind: error-proportion, query: x }",
      ),
    ).toMatch(/needs `bad` as well/)
    expect(said("  list:\n    a: { source: push, query: x }")).toMatch(/there is nothing to ask/)
  })
})

describe("the guides", () => {
  it("show metrics that are valid as they stand", () => {
    const guide = readFileSync("docs/guides/metrics.md", "utf8")
    const shown = /```yaml\n(metrics:[\s\S]*?)```/.exec(guide)?.[1]
    const policy = policyOf(read(short.replace("metrics: http\n", shown ?? "")))
    expect(policy.metrics.map(({ source }) => source.type)).toEqual(
      expect.arrayContaining(["router", "agent", "scrape", "prometheus", "json", "push"]),
    )
    expect(policy.metrics.find(({ name }) => name === "memory")?.max).toBe(900)
  })

  it("show a choice of Kayenta's judge that is valid as it stands", () => {
    const guide = readFileSync("docs/guides/metrics.md", "utf8")
    const shown = /```yaml\n(judge:[\s\S]*?)```/.exec(guide)?.[1]
    expect(policyOf(read(short + shown)).judge).toMatchObject({
      groups: { errors: 60 },
      metrics: { error_rate: { criticalIncrease: 2 } },
    })
  })

  it("may hold a level to a bare number, and still asks for a unit where text stands", () => {
    const withMax = (max: string) =>
      read(short.replace("metrics: http", `metrics: { list: { queue: { source: push, max: ${max} } } }`))
    expect(policyOf(withMax("100")).metrics.at(-1)?.max).toBe(100)
    expect(codesOf(withMax("'100'"))).toEqual(["C104"])
  })
})

describe("the choice of a judge", () => {
  const withJudge = (judge: string) => read(`${short}judge: ${judge}\n`)
  it("is ours, or Kayenta's with the limits of Spinnaker's examples or one's own", () => {
    expect(policyOf(read(short)).judge).toBeUndefined()
    expect(policyOf(withJudge("sequential")).judge).toBeUndefined()
    expect(policyOf(withJudge("kayenta")).judge).toEqual({
      type: "kayenta",
      pass: 95,
      marginal: 75,
      groups: {},
      metrics: {},
    })
    expect(
      policyOf(
        withJudge(
          "{ type: kayenta, pass: 60, groups: { users: 40 }, metrics: { error_rate: { groups: [users], allowedIncrease: 1.1 } } }",
        ),
      ).judge,
    ).toMatchObject({
      pass: 60,
      marginal: 60,
      groups: { users: 40 },
      metrics: { error_rate: { allowedIncrease: 1.1 } },
    })
  })

  it("is warned of when a comparison is too short for Kayenta's fifty points", () => {
    const brief = short.replace("gate: button", "gate: button, compare: { for: 1m }")
    expect(codesOf(read(`${brief}judge: kayenta\n`))).toEqual(["C308"])
    expect(codesOf(read(brief))).toEqual([])
    expect(codesOf(withJudge("kayenta"))).toEqual([])
  })

  it("is refused where it would not do what it says", () => {
    expect(codesOf(withJudge("kayentaa"))).toEqual(["C102"])
    expect(codesOf(withJudge("{ type: kayenta, pass: 60, marginal: 75 }"))).toEqual(["C202"])
    expect(codesOf(withJudge("{ type: kayenta, metrics: { errors: {} } }"))).toEqual(["C202"])
    expect(codesOf(withJudge("{ type: kayenta, groups: { users: 40 } }"))).toEqual(["C202"])
  })
})
