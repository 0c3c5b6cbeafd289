import type { FastifyInstance } from "fastify"
import type { TSchema } from "typebox"
import {
  AddApp,
  Added,
  AnswerPaths,
  Approve,
  Deploy,
  Done,
  Drill,
  Invite,
  Lock,
  Measurements,
  Override,
  Policy,
  Reason,
  Unlock,
} from "../contract/commands.ts"
import {
  AppSummary,
  AppView,
  InstanceView,
  InvitationView,
  KillSwitchView,
  Problem,
  RolloutView,
  RouteView,
  ServerView,
  TimelineEntry,
} from "../contract/views.ts"

type Operation = {
  readonly method: "get" | "post" | "put" | "delete"
  readonly path: string
  readonly says: string
  readonly body?: TSchema
  readonly answer?: TSchema
}

const list = (items: TSchema): unknown => ({ type: "array", items })

const operations: readonly Operation[] = [
  { method: "get", path: "/v1/apps/{app}", says: "One application", answer: AppView },
  {
    method: "get",
    path: "/v1/apps/{app}/rollouts/{n}",
    says: "One rollout with its timeline",
    answer: RolloutView,
  },
  { method: "post", path: "/v1/apps", says: "Adds an application", body: AddApp, answer: Added },
  {
    method: "delete",
    path: "/v1/apps/{app}",
    says: "Removes an application: its routes go, what it runs is ended, its history stays; 410 from then on",
    body: Reason,
    answer: Done,
  },
  { method: "post", path: "/v1/apps/{app}/deploy", says: "Chooses a commit", body: Deploy, answer: Done },
  {
    method: "post",
    path: "/v1/apps/{app}/drill",
    says: "Rebuilds a region from images alone beside itself, tests and destroys it",
    body: Drill,
    answer: Done,
  },
  { method: "post", path: "/v1/apps/{app}/pause", says: "Stops advancing", body: Reason, answer: Done },
  {
    method: "post",
    path: "/v1/apps/{app}/override",
    says: "Locks and freezes stand aside for a time",
    body: Override,
    answer: Done,
  },
  { method: "post", path: "/v1/apps/{app}/resume", says: "Advances again", body: Reason, answer: Done },
  { method: "post", path: "/v1/apps/{app}/locks", says: "Locks", body: Lock, answer: Done },
  { method: "post", path: "/v1/apps/{app}/locks/{id}/release", says: "Unlocks", body: Unlock, answer: Done },
  {
    method: "post",
    path: "/v1/apps/{app}/measurements",
    says: "An instance tells its metrics; the push token is enough",
    body: Measurements,
  },
  {
    method: "post",
    path: "/v1/apps/{app}/regions/{region}/release-pools",
    says: "Gives up the old pools that a region keeps for a swap back",
    body: Reason,
    answer: Done,
  },
  { method: "put", path: "/v1/apps/{app}/policy", says: "Pins what a commit may not loosen", body: Policy },
  {
    method: "post",
    path: "/v1/apps/{app}/instances/{id}/replace",
    says: "Replaces an instance by a fresh one",
    body: Reason,
    answer: Done,
  },
  {
    method: "post",
    path: "/v1/apps/{app}/rollouts/{n}/approve",
    says: "Approves exactly what was seen",
    body: Approve,
    answer: Done,
  },
  {
    method: "post",
    path: "/v1/servers/invitations",
    says: "A one-time token that lets a server join",
    body: Invite,
    answer: InvitationView,
  },
  ...[
    ["set", "Stops every change of every application, on all control planes"],
    ["lift", "Lets everything go on"],
  ].map(
    ([verb, says]): Operation => ({
      method: "post",
      path: `/v1/kill-switch/${verb}`,
      says: says ?? "",
      body: Reason,
      answer: KillSwitchView,
    }),
  ),
  ...[
    ["drain", "Moves what runs on a server elsewhere"],
    ["undrain", "Uses a server again"],
    ["remove", "Forgets a server; its certificate is not renewed any more"],
  ].map(
    ([verb, says]): Operation => ({
      method: "post",
      path: `/v1/servers/{server}/${verb}`,
      says: says ?? "",
      body: Reason,
    }),
  ),
  {
    method: "post",
    path: "/v1/apps/{app}/rollouts/{n}/accept-answers",
    says: "Accepts that its release changes these paths of its answers",
    body: AnswerPaths,
    answer: Done,
  },
  {
    method: "post",
    path: "/v1/apps/{app}/rollouts/{n}/withdraw-answers",
    says: "Takes back what people accepted of its release's answers",
    body: AnswerPaths,
    answer: Done,
  },
  ...["reject", "halt", "rollback", "retry", "resume"].map(
    (verb): Operation => ({
      method: "post",
      path: `/v1/apps/{app}/rollouts/{n}/${verb}`,
      says: `${verb} a rollout`,
      body: Reason,
      answer: Done,
    }),
  ),
]

/** OpenAPI 3.1: the schemas are the ones that check the requests. */
export function openapiRoute(api: FastifyInstance): void {
  const document = describe()
  api.get("/openapi.json", async () => document)
}

function describe(): unknown {
  const problem = {
    description: "Refused, and why",
    content: { "application/problem+json": { schema: Problem } },
  }
  const paths: Record<string, Record<string, unknown>> = {
    "/v1/apps": {
      get: plain(
        "All applications, those that need a person first; in pages with ?limit=, the next one in the Link header, ?q= looks for names",
        list(AppSummary),
      ),
    },
    "/v1/apps/{app}/servers": { get: plain("The instances", list(InstanceView)) },
    "/v1/kill-switch": { get: plain("Whether every change is stopped, and by whom", KillSwitchView) },
    "/v1/servers": { get: plain("The servers", list(ServerView)) },
    "/v1/apps/{app}/routes": { get: plain("How users are split now", list(RouteView)) },
    "/v1/apps/{app}/timeline": { get: plain("What happened, newest first", list(TimelineEntry)) },
    "/v1/evidence/{hash}": { get: plain("What a decision rested on", {}) },
    "/v1/logs": { get: plain("A piece of a log", {}) },
    "/v1/events": {
      get: {
        summary:
          "Everything that happens, as server-sent events, from Last-Event-ID or ?after= on; event: reset says that something is missing: read anew",
        responses: {
          200: { description: "a stream", content: { "text/event-stream": { schema: TimelineEntry } } },
        },
      },
    },
  }
  for (const { method, path, says, body, answer } of operations) {
    paths[path] = {
      ...paths[path],
      [method]: {
        summary: says,
        parameters: [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => ({
          name,
          in: "path",
          required: true,
          schema: { type: "string" },
        })),
        ...(body
          ? {
              security: [{ token: [] }],
              requestBody: { required: true, content: { "application/json": { schema: body } } },
            }
          : {}),
        responses: {
          200: { description: "done", content: { "application/json": { schema: answer ?? {} } } },
          default: problem,
        },
      },
    }
  }
  return {
    openapi: "3.1.0",
    info: { title: "Immunity", version: "1", description: "A cluster immune system." },
    components: { securitySchemes: { token: { type: "http", scheme: "bearer" } } },
    paths,
  }
}

const plain = (summary: string, schema: unknown): unknown => ({
  summary,
  responses: { 200: { description: "ok", content: { "application/json": { schema } } } },
})
