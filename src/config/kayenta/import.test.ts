import { describe, expect, it } from "vitest"
import { stringify } from "yaml"
import { readPolicy } from "../read-policy.ts"
import { importKayenta } from "./import.ts"

const prometheus = { type: "prometheus", metricName: "cpu" }
const metric = (
  name: string,
  query: object,
  canary: object = {},
  groups: readonly string[] = ["system"],
) => ({
  name,
  query,
  groups,
  analysisConfigurations: { canary },
  scopeName: "default",
})
const config = {
  name: "checkout",
  description: "golden signals",
  applications: ["checkout"],
  judge: { name: "NetflixACAJudge-v1.0", judgeConfigurations: {} },
  metrics: [
    metric(
      "Errors (5xx)",
      {
        type: "prometheus",
        customInlineTemplate: `PromQL:sum(rate(http_requests_total{code=~"5..",pod="\${scope}"}[5m]))`,
      },
      {
        direction: "increase",
        nanStrategy: "replace",
        critical: true,
        mustHaveData: true,
        effectSize: { allowedIncrease: 1.25, criticalIncrease: 3 },
      },
      ["errors"],
    ),
    metric(
      "CPU",
      {
        type: "prometheus",
        metricName: "cpu_seconds",
        labelBindings: ['mode="user"'],
        customFilterTemplate: "by-pod",
      },
      { direction: "either", outliers: { strategy: "remove", outlierFactor: 2 } },
    ),
    metric(
      "sign-ups",
      { ...prometheus, metricName: "signups" },
      { direction: "decrease", effectSize: { allowedDecrease: 0.8 } },
    ),
    metric("apdex", { type: "newrelic", select: "SELECT apdex(duration)" }, {}, ["users"]),
    metric("global", { type: "prometheus", customInlineTemplate: "sum(rate(x[5m]))" }),
    metric("elsewhere", { type: "prometheus", customInlineTemplate: `x{a="\${scope}",zone="\${location}"}` }),
    metric("no template", { ...prometheus, customFilterTemplate: "gone" }),
  ],
  templates: { "by-pod": `pod='\${scope}'` },
  classifier: {
    groupWeights: { errors: 50, system: 20, users: 30 },
    scoreThresholds: { pass: 90, marginal: 60 },
  },
}
const imported = (changed: object = {}, url?: string) =>
  importKayenta(JSON.stringify({ ...config, ...changed }), url)
const linesOf = (kind: string) =>
  imported()
    .report.filter((line) => line.kind === kind)
    .map(({ what, how }) => `${what}: ${how}`)

const file = (yaml: object) =>
  `version: 1\napp: papi\nstart: node server.js\nregions: [{ name: production, listen: 8102, gate: button }]\n${stringify(yaml)}`

describe("a canary config of Kayenta", () => {
  it("becomes a valid immunity.yaml in dry-run, with its queries, thresholds and judge", () => {
    const read = readPolicy(file(imported({}, "http://prom:9090").yaml), { file: "immunity.yaml", now: 0 })
    if ("problems" in read) throw new Error(JSON.stringify(read.problems))
    const { metrics, judge, autonomy } = read.policy
    expect(autonomy).toMatchObject({ advance: "dry-run", halt: "dry-run", rollback: "dry-run" })
    expect(
      metrics.map(({ name, worse, critical, tolerateRatio }) => [name, worse, critical, tolerateRatio]),
    ).toEqual([
      ["errors_5xx", "up", true, 0.25],
      ["cpu", "up", false, 0],
      ["sign_ups", "down", false, 0.25],
    ])
    expect(metrics.map(({ source }) => source)).toEqual([
      {
        type: "prometheus",
        url: "http://prom:9090",
        query: `sum(rate(http_requests_total{code=~"5..",pod="\${instance}"}[5m]))`,
      },
      {
        type: "prometheus",
        url: "http://prom:9090",
        query: `avg(cpu_seconds{mode="user",pod='\${instance}'})`,
      },
      { type: "prometheus", url: "http://prom:9090", query: `avg(signups{instance="\${instance}"})` },
    ])
    expect(judge).toEqual({
      type: "kayenta",
      pass: 90,
      marginal: 60,
      groups: { errors: 71.43 },
      metrics: {
        errors_5xx: {
          groups: ["errors"],
          direction: "increase",
          nan: "replace",
          mustHaveData: true,
          allowedIncrease: 1.25,
          allowedDecrease: 1,
          criticalIncrease: 3,
        },
        cpu: { groups: ["system"], direction: "either", outliers: 2, allowedIncrease: 1, allowedDecrease: 1 },
        sign_ups: { groups: ["system"], direction: "decrease", allowedIncrease: 1, allowedDecrease: 0.8 },
      },
    })
  })

  it("is reported line by line: what was mapped, changed, dropped", () => {
    expect(linesOf("mapped")).toEqual([
      "Errors (5xx): metrics.list.errors_5xx, with its thresholds in judge.metrics.errors_5xx",
      "CPU: metrics.list.cpu, with its thresholds in judge.metrics.cpu",
      "sign-ups: metrics.list.sign_ups, with its thresholds in judge.metrics.sign_ups",
      "judge: NetflixACAJudge-v1.0 is judge: kayenta",
      "scoreThresholds: pass at 90, marginal from 60",
    ])
    expect(linesOf("dropped")).toEqual([
      "apdex: its query is for newrelic, which is no source here; push it, or ask it with a json source",
      `global: it asks the same of canary and control: it names no \${scope}`,
      `elsewhere: \${location} has no meaning here: write its value into the query and import it again`,
      'no template: its template "gone" is not in the file',
      "group users: none of its metrics is left, and its weight of 30 is lost",
    ])
    expect(linesOf("changed").join("\n")).toMatch(
      /Errors.*label pod must carry IMMUNITY_INSTANCE[\s\S]*sign-ups: it had no scope of its own[\s\S]*address: [\s\S]*groupWeights: 70 in all is not 100[\s\S]*dry-run/,
    )
  })

  it("is read inside a request as well, and with nulls for what is absent", () => {
    const bare = {
      metrics: [{ ...config.metrics[0], groups: null }],
      templates: null,
      classifier: null,
      judge: null,
    }
    const found = importKayenta(JSON.stringify({ canaryConfig: bare }), undefined)
    expect(found.yaml.judge).toMatchObject({
      pass: 95,
      marginal: 75,
      metrics: { errors_5xx: { groups: ["all"] } },
    })
    expect("problems" in readPolicy(file(found.yaml), { file: "immunity.yaml", now: 0 })).toBe(false)
  })

  it("keeps two metrics of one name apart", () => {
    const twice = [config.metrics[0], { ...config.metrics[0], name: "errors 5XX" }]
    expect(Object.keys(imported({ metrics: twice }).yaml.metrics.list)).toEqual([
      "errors_5xx",
      "errors_5xx_2",
    ])
  })

  it("is refused with a reason when it is none, or nothing of it can be used", () => {
    expect(() => importKayenta("{", undefined)).toThrow(/not JSON/)
    expect(() => importKayenta("[]", undefined)).toThrow(/not a canary config/)
    expect(() => imported({ metrics: [{ name: "x" }] })).toThrow(/metrics\.0/)
    expect(() => imported({ metrics: [config.metrics[3]] })).toThrow(/none of its 1 metrics[\s\S]*apdex: /)
  })
})
