// The layers of ARCHITECTURE.md. Imports point down; neighbours do not know each other.
const test = "\\.test\\.tsx?$"
const only = (name, from, allowed, comment) => ({
  name,
  comment,
  severity: "error",
  from: { path: from, pathNot: test },
  to: { path: "^(src|web|sim|conformance)/", pathNot: [from, ...allowed] },
})

module.exports = {
  forbidden: [
    only(
      "core-knows-nothing",
      "^src/core/",
      [],
      "The domain is pure: it imports nothing of ours but itself.",
    ),
    {
      name: "core-has-no-dependencies",
      severity: "error",
      comment: "The domain has no dependencies, not even node:.",
      from: { path: "^src/core/", pathNot: test },
      to: { dependencyTypesNot: ["local"] },
    },
    {
      name: "judge-and-rollout-never-meet",
      severity: "error",
      comment: "Only a Verdict passes between them.",
      from: { path: "^src/core/judge/" },
      to: { path: "^src/core/(rollout|pipeline|decision)/" },
    },
    {
      name: "rollout-and-judge-never-meet",
      severity: "error",
      comment: "Only a Verdict passes between them.",
      from: { path: "^src/core/(rollout|pipeline|decision)/" },
      to: { path: "^src/core/judge/" },
    },
    only("ports-know-core", "^src/ports/", ["^src/core/"], "A port speaks the language of the core."),
    only("engine-knows-ports", "^src/engine/", ["^src/(ports|core)/"], "The shell works against ports only."),
    only("agent-knows-ports", "^src/agent/", ["^src/(ports|core)/"], "The agent works against ports only."),
    only("store-knows-ports", "^src/store/", ["^src/(ports|core)/"], "The store implements ports."),
    only(
      "config-knows-core",
      "^src/config/",
      ["^src/(ports|core)/"],
      "The configuration becomes types of the core.",
    ),
    only("testing-knows-ports", "^src/testing/", ["^src/(ports|core)/"], "Fakes and contracts speak ports."),
    only("router-stands-alone", "^src/router/", [], "The data plane boots and serves with nothing of ours."),
    only("api-knows-engine", "^src/api/", ["^src/(engine|ports|core)/"], "The API is a door to the engine."),
    only("cli-is-a-client", "^src/cli/", ["^src/api/contract/"], "The command line is a client of the API."),
    only("web-is-a-client", "^web/", ["^src/api/contract/"], "The pages know the contract and nothing else."),
    only(
      "sim-knows-ports",
      "^sim/",
      ["^src/(engine|testing|ports|core)/"],
      "The simulator runs the production engine.",
    ),
    only(
      "conformance-knows-the-router",
      "^conformance/",
      ["^src/router/", "^src/providers/router/haproxy/strict"],
      "The harness asks the data plane from outside, and its parser from inside.",
    ),
    ...["compute", "router", "metrics", "source", "builder", "notify", "engine"].map((port) =>
      only(
        `${port}-providers-are-strangers`,
        `^src/providers/${port}/`,
        ["^src/(ports|core)/"],
        "A provider is a stranger to every other provider.",
      ),
    ),
    {
      name: "nobody-imports-main",
      severity: "error",
      comment: "main.ts is the only place where everything meets.",
      from: { pathNot: "^(src/main(/|\\.ts$)|test/)" },
      to: { path: "^src/main(/|\\.ts$)" },
    },
    { name: "no-circles", severity: "error", from: { pathNot: "^sim/" }, to: { circular: true } },
    {
      name: "no-circles-at-run-time",
      comment: "The simulated world and its parts know each other's types, and nothing more.",
      severity: "error",
      from: { path: "^sim/" },
      to: { circular: true, viaOnly: { dependencyTypesNot: ["type-only"] } },
    },
  ],
  options: {
    doNotFollow: { path: "node_modules" },
    tsConfig: { fileName: "tsconfig.json" },
    tsPreCompilationDeps: true,
    exclude: { path: "^(dist|node_modules)/" },
    enhancedResolveOptions: {
      extensions: [".ts", ".tsx", ".js", ".json"],
      conditionNames: ["import", "types", "node", "default"],
    },
  },
}
