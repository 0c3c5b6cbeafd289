import { connectRemoteAgent } from "../agent/client.ts"
import { type Credentials, life, newKey, openAuthority } from "../agent/trust/authority.ts"
import { controlCredentials, type Door, openDoor } from "../agent/trust/door.ts"
import { Registry } from "../agent/trust/registry.ts"
import { writeToken } from "../agent/trust/token.ts"
import type { Agent } from "../ports/agent.ts"
import type { Clock } from "../ports/clock.ts"
import type { Fleet } from "../ports/fleet.ts"

export type ServersParts = {
  /** Holds the authority and who has joined. */
  readonly folder: string
  /** `host:port` where servers join; absent: none can, those that have joined stay. */
  readonly listen: string | undefined
  readonly clock: Clock
  readonly log: { info(fields: object, message: string): void; warn(fields: object, message: string): void }
  /** Filled with the agents of all servers that have joined, as they come and go. */
  readonly agents: Map<string, Agent>
}

export type Servers = { readonly fleet: Fleet; readonly close: () => Promise<void> }

/** The servers besides this one: lets them in, shows them who gives orders, and forgets those that are removed. */
export async function openServers(parts: ServersParts): Promise<Servers> {
  const { clock, agents, log } = parts
  const authority = openAuthority(parts.folder, clock.now())
  const registry = Registry.open(parts.folder, clock)
  const pair = newKey()
  let issuedAt = clock.now()
  let credentials: Credentials = controlCredentials(authority, pair, issuedAt)
  const at = parts.listen === undefined ? undefined : addressOf(parts.listen)
  const door: Door | undefined = at
    ? await openDoor({ authority, registry, clock, log, credentials: () => credentials }, at.host, at.port)
    : undefined
  const known = new Map<string, string>()

  // Another control plane of this machine may have let one in, or removed it.
  const follow = (): void => {
    if (clock.now() > issuedAt + life / 3) {
      issuedAt = clock.now()
      credentials = controlCredentials(authority, pair, issuedAt)
      door?.renew()
    }
    const joined = registry.joined()
    for (const { server, address } of joined) {
      if (known.get(server) === address) continue
      known.set(server, address)
      agents.set(server, connectRemoteAgent({ server, address, credentials: () => credentials }))
    }
    for (const server of known.keys()) {
      if (joined.some((one) => one.server === server)) continue
      known.delete(server)
      agents.delete(server)
      log.info({ part: "servers", server }, "removed")
    }
  }
  follow()
  const timer = setInterval(() => {
    try {
      follow()
    } catch (error) {
      log.warn({ part: "servers" }, error instanceof Error ? error.message : String(error))
    }
  }, 1_000)

  return {
    fleet: {
      joined: () => registry.joined(),
      drained: (server) => registry.drained(server),
      invite(server, by, forMs) {
        if (!door || !at)
          throw new Error(
            "no server can join here: start the control plane with --agents HOST:PORT, an address that the servers reach",
          )
        const { secret, expiresAt } = registry.invite(server, by, forMs)
        log.info({ part: "servers", server, by }, "invited")
        const token = writeToken({ server, secret, fingerprint: authority.fingerprint })
        return {
          token,
          expiresAt,
          to: `https://${at.host.includes(":") ? `[${at.host}]` : at.host}:${door.port}`,
        }
      },
      drain(server, by, because) {
        registry.drain(server, by, because)
        log.info({ part: "servers", server, by, because }, "drained")
      },
      undrain(server) {
        registry.undrain(server)
        log.info({ part: "servers", server }, "in use again")
      },
      remove(server) {
        const was = registry.remove(server)
        follow()
        return was
      },
    },
    async close() {
      clearInterval(timer)
      await door?.close()
      registry.close()
    },
  }
}

function addressOf(text: string): { readonly host: string; readonly port: number } {
  const found = /^(?:\[([0-9a-fA-F:.]+)\]|([A-Za-z0-9._-]+)):(\d{1,5})$/.exec(text)
  const host = found?.[1] ?? found?.[2]
  if (host === undefined || Number(found?.[3]) > 65_535)
    throw new Error(`--agents ${text} is not an address such as 10.0.0.1:7400`)
  return { host, port: Number(found?.[3]) }
}
