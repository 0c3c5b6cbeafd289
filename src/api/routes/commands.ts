import { randomUUID } from "node:crypto"
import type { FastifyInstance, FastifyRequest } from "fastify"
import type { Static, TSchema } from "typebox"
import { Value } from "typebox/value"
import { unreachable } from "../../core/model/unreachable.ts"
import type { Source } from "../../core/pipeline/application.ts"
import type { Command } from "../../core/pipeline/input.ts"
import { isGone } from "../../core/pipeline/remove.ts"
import { configPurpose } from "../../ports/sealer.ts"
import { actorOf } from "../access.ts"
import {
  AddApp,
  type Added,
  AnswerPaths,
  Approve,
  Configure,
  Deploy,
  type Done,
  Drill,
  Lock,
  Override,
  Policy,
  Reason,
  RestoreConfiguration,
  Unlock,
} from "../contract/commands.ts"
import { ApiError, type ApiParts } from "../parts.ts"
import { presentState } from "./reads.ts"

type InApp = { Params: { app: string } }
type InRollout = { Params: { app: string; n: string } }

/** Everything that changes something; each is one command to the engine, made once per Idempotency-Key. */
export function commandRoutes(api: FastifyInstance, parts: ApiParts): void {
  const order = (request: FastifyRequest, app: string, command: Command): Promise<Done> =>
    submit(parts, request, app, command)

  api.post("/v1/apps", async (request): Promise<Added> => {
    const body = check(AddApp, request.body)
    const app = body.app ?? nameFrom(body.url)
    checkName(app)
    const source = { url: body.url, branch: body.branch ?? "main" }
    const known = parts.engine.state(app)
    const warning = known && !isGone(known) ? undefined : await mayBeAdded(parts, app, source)
    return {
      ...(await order(request, app, { type: "add-app", source })),
      app,
      ...(warning ? { warning } : {}),
    }
  })
  // The reason stands in the body or, for clients that send none with this method, in the address.
  api.delete<InApp>("/v1/apps/:app", async (request) =>
    order(request, request.params.app, {
      type: "remove-app",
      reason: check(Reason, request.body ?? request.query).reason,
    }),
  )
  api.post<InApp>("/v1/apps/:app/deploy", async (request) => {
    const body = check(Deploy, request.body ?? {})
    return order(request, request.params.app, {
      type: "deploy",
      commit: body.commit,
      reason: body.reason ?? "",
      hotfix: body.hotfix ?? false,
    })
  })
  api.post<InApp>("/v1/apps/:app/override", async (request) => {
    const { region, minutes, reason } = check(Override, request.body)
    const duration = minutes * 60_000
    return order(request, request.params.app, { type: "override", region, duration, reason })
  })
  api.post<InApp>("/v1/apps/:app/drill", async (request) => {
    const { region, reason } = check(Drill, request.body)
    return order(request, request.params.app, { type: "drill", region, reason })
  })
  api.post<InApp>("/v1/apps/:app/pause", async (request) =>
    order(request, request.params.app, { type: "pause", reason: check(Reason, request.body).reason }),
  )
  api.post<InApp>("/v1/apps/:app/resume", async (request) =>
    order(request, request.params.app, {
      type: "resume",
      rollout: undefined,
      reason: check(Reason, request.body).reason,
    }),
  )
  api.post<InApp>("/v1/apps/:app/locks", async (request) => {
    const body = check(Lock, request.body)
    return order(request, request.params.app, { type: "lock", region: body.region, reason: body.reason })
  })
  api.post<{ Params: { app: string; id: string } }>("/v1/apps/:app/locks/:id/release", async (request) => {
    const body = check(Unlock, request.body)
    return order(request, request.params.app, {
      type: "unlock",
      lock: Number(request.params.id),
      ...body,
      preventive: body.preventive,
    })
  })
  api.post<{ Params: { app: string; id: string } }>("/v1/apps/:app/instances/:id/replace", async (request) =>
    order(request, request.params.app, {
      type: "replace-instance",
      instance: request.params.id,
      reason: check(Reason, request.body).reason,
    }),
  )
  api.post<{ Params: { app: string; region: string } }>(
    "/v1/apps/:app/regions/:region/release-pools",
    async (request) =>
      order(request, request.params.app, {
        type: "release-pools",
        region: request.params.region,
        reason: check(Reason, request.body).reason,
      }),
  )
  api.post<InApp>("/v1/apps/:app/configuration", async (request) => {
    const { app } = request.params
    const { changes, reason } = check(Configure, request.body)
    return order(request, app, {
      type: "configure",
      reason,
      changes: changes.map(({ key, region, value, secret }) => ({
        key,
        region,
        value:
          value === undefined
            ? undefined
            : secret
              ? { sealed: parts.sealer.seal(value, configPurpose(app, key)) }
              : { plain: value },
      })),
    })
  })
  api.post<InApp>("/v1/apps/:app/configuration/restore", async (request) =>
    order(request, request.params.app, {
      type: "restore-configuration",
      ...check(RestoreConfiguration, request.body),
    }),
  )
  api.post<InRollout>("/v1/apps/:app/rollouts/:n/approve", async (request) => {
    const { reason, digest, evidence } = check(Approve, request.body)
    const bound = { digest: digest as `sha256:${string}` | undefined, evidence: evidence || undefined }
    return order(request, request.params.app, {
      type: "approve",
      rollout: Number(request.params.n),
      reason,
      bound,
    })
  })
  for (const type of ["accept-answers", "withdraw-answers"] as const) {
    api.post<InRollout>(`/v1/apps/:app/rollouts/:n/${type}`, async (request) => {
      const { reason, paths } = check(AnswerPaths, request.body)
      return order(request, request.params.app, { type, rollout: Number(request.params.n), paths, reason })
    })
  }
  for (const type of ["reject", "halt", "rollback", "retry", "resume"] as const) {
    api.post<InRollout>(`/v1/apps/:app/rollouts/:n/${type}`, async (request) =>
      order(request, request.params.app, {
        type,
        rollout: Number(request.params.n),
        reason: check(Reason, request.body).reason,
      }),
    )
  }
  api.put<InApp>("/v1/apps/:app/policy", async (request) => {
    presentState(parts, request.params.app)
    const { yaml } = check(Policy, request.body)
    const wrong = parts.checkPins(yaml)
    if (wrong !== undefined) throw new ApiError("invalid-policy", wrong)
    await parts.policies.set(request.params.app, yaml)
    return { ok: true }
  })
  /** A hint, nothing more: the repository itself is asked. */
  api.post<InApp>("/webhooks/:app", async (request, reply) => {
    parts.engine.hint(request.params.app)
    return reply.code(202).send({ ok: true })
  })
}

export function check<S extends TSchema>(schema: S, body: unknown): Static<S> {
  if (Value.Check(schema, body)) return body as Static<S>
  const [first] = Value.Errors(schema, body)
  throw new ApiError(
    "bad-request",
    first ? whatIsWrong(schema, body, first) : "it is not what this order takes",
  )
}

type Wrong = ReturnType<typeof Value.Errors>[number]

/** What was given is repeated only where it has a form of its own: it may be a secret. */
function whatIsWrong(schema: TSchema, body: unknown, wrong: Wrong): string {
  const { instancePath, keyword, message, schemaPath } = wrong
  const where = instancePath.slice(1)
  if (where === "") return `${message}; /openapi.json says what this order takes`
  if (keyword === "boolean") return `${where} is not part of this order; /openapi.json says what it takes`
  const form = Value.Pointer.Get(schema, schemaPath.slice(1)) as { readonly description?: string } | undefined
  if (keyword !== "pattern" || form?.description === undefined) return `${where}: ${message}`
  return `${where}: ${JSON.stringify(Value.Pointer.Get(body, instancePath)).slice(0, 60)} is not ${form.description}`
}

export async function submit(
  parts: ApiParts,
  request: FastifyRequest,
  app: string,
  command: Command,
): Promise<Done> {
  checkName(app)
  const match = request.headers["if-match"]
  if (match !== undefined && match !== `"${parts.engine.version(app)}"`) {
    throw new ApiError("changed", "it has changed since you looked; look again")
  }
  const key = request.headers["idempotency-key"]
  const id = typeof key === "string" && key.length <= 200 ? `${app}/${key}` : randomUUID()
  const result = await parts.engine.submit(app, command, actorOf(request), id)
  switch (result.kind) {
    case "done":
      return { ok: true, version: result.version }
    case "refused":
      throw new ApiError(result.refusal.code, result.refusal.message)
    case "not-leader":
      throw new ApiError(
        "not-leader",
        "another control plane holds this application; try again in a few seconds",
      )
  }
}

function checkName(app: string): void {
  if (!/^[a-z][a-z0-9-]{0,39}$/.test(app))
    throw new ApiError("bad-name", `${app.slice(0, 60)} is not a name: a letter, then letters, digits and -`)
}

/** An application keeps its name for ever: another one's is refused at once; all that can be mended is told. */
async function mayBeAdded({ engine }: ApiParts, app: string, source: Source): Promise<string | undefined> {
  const look = await engine.firstLook(app, source)
  switch (look.kind) {
    case "well":
      return undefined
    case "not-yet":
      return look.because
    case "other-name":
      throw new ApiError(
        "other-name",
        `its immunity.yaml says app: ${look.name}, and it would be added as ${app}: every commit would be refused. Add it as that (--name ${look.name}), or say app: ${app} in the file`,
      )
    default:
      return unreachable(look)
  }
}

/** `https://git.example.com/team/papi.git` → `papi`. */
function nameFrom(url: string): string {
  const last = url.replace(/\/+$/, "").split(/[/:]/).at(-1) ?? ""
  return last
    .replace(/\.git$/, "")
    .toLowerCase()
    .replaceAll(/[^a-z0-9-]/g, "-")
}
