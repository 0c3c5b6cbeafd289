import { join, resolve } from "node:path"
import { createInterface } from "node:readline"
import type { Readable } from "node:stream"
import type { Static, TSchema } from "typebox"
import type { Digest } from "../../core/model/ids.ts"
import type { Difference } from "../../core/pipeline/events.ts"
import type {
  Container,
  ContainerOrder,
  Containers,
  ImageOrder,
  RegistryCopy,
  RegistryLogin,
} from "../../ports/containers.ts"
import {
  BuildLine,
  Changes,
  Created,
  containerOf,
  digestOf,
  Inspected,
  InspectedImage,
  Listed,
  read,
  Version,
} from "./answers.ts"
import { buildImage } from "./build.ts"
import { changedFiles, changedSettings } from "./compare.ts"
import { pullImage, pushImage } from "./registry.ts"
import { bodyOf, refusalOf } from "./whitelist.ts"
import { type Ask, ask, demultiplex, EngineRefused, open } from "./wire.ts"

const mark = "immunity.agent"
/** Looks at a list for which one answer about a running container is good. */
const asked = 4

export type DockerEngineParts = {
  readonly socket: string
  /** This agent's mark, known to nobody else. */
  readonly owner: string
  /** The address of this machine at which containers are reached; absent: loopback alone. */
  readonly host?: string | undefined
  /**
   * Holds a folder for each container that is handed a configuration, by the container's name. Absent: none is.
   */
  readonly handed?: string | undefined
}

/** Docker or Podman through the Engine API on a unix socket. */
export function dockerEngine(parts: DockerEngineParts): Containers {
  return new DockerEngine(parts)
}

class DockerEngine implements Containers {
  readonly #socket: string
  readonly #owner: string
  readonly #host: string
  readonly #handed: string | undefined
  readonly #looked = new Map<
    string,
    { readonly state: string; readonly container: Container; looks: number }
  >()
  /** What is being asked of a container in this state. */
  readonly #looking = new Map<string, Promise<Container | undefined>>()
  /** Ids of containers that were seen to bear our mark. */
  readonly #mine = new Set<string>()

  constructor({ socket, owner, host = "127.0.0.1", handed }: DockerEngineParts) {
    this.#socket = socket
    this.#owner = owner
    this.#host = host
    this.#handed = handed === undefined ? undefined : resolve(handed)
  }

  async version(signal: AbortSignal): Promise<string> {
    const { Version: version } = await this.#ask(Version, { method: "GET", path: "/version", signal })
    return version
  }

  async create(order: ContainerOrder, signal: AbortSignal): Promise<string> {
    const refusal = refusalOf(order)
    if (refusal !== undefined) throw new Error(refusal)
    const handed = this.#handedTo(order)
    const made = await this.#maybe(Created, {
      method: "POST",
      path: "/containers/create",
      query: { name: order.name },
      body: bodyOf(order, this.#host, { [mark]: this.#owner }, handed),
      signal,
    })
    if (!made)
      throw new Error(`there is no image ${order.image} on this server; build it again or bring it here`)
    const { Id: id } = made
    // The engine looked the image up by itself; what it found is what would run.
    const created = await this.#ours(id, signal)
    if (created && digestOf(created.Image) === order.image) return id
    await this.remove(id, signal)
    throw new Error(`the engine took ${created?.Image ?? "nothing"} for ${order.image}; it was not started`)
  }

  async start(id: string, signal: AbortSignal): Promise<void> {
    if (!(await this.#isOurs(id, signal))) throw new Error(`the container ${id} is gone`)
    await this.#tell({ method: "POST", path: `/containers/${id}/start`, signal })
  }

  async stop(id: string, grace: number, signal: AbortSignal): Promise<void> {
    if (!(await this.#isOurs(id, signal))) return
    const query = { t: String(Math.ceil(grace / 1_000)) }
    await this.#tell({ method: "POST", path: `/containers/${id}/stop`, query, signal }, [404])
  }

  async remove(id: string, signal: AbortSignal): Promise<void> {
    if (!(await this.#isOurs(id, signal))) return
    const query = { force: "true", v: "true" }
    await this.#tell({ method: "DELETE", path: `/containers/${id}`, query, signal }, [404])
    this.#mine.delete(id)
  }

  async find(name: string, signal: AbortSignal): Promise<Container | undefined> {
    const found = await this.#ours(name, signal)
    return found && containerOf(found, this.#host)
  }

  async list(signal: AbortSignal): Promise<readonly Container[]> {
    const filters = JSON.stringify({ label: [`${mark}=${this.#owner}`] })
    const query = { all: "true", filters }
    const listed = await this.#ask(Listed, { method: "GET", path: "/containers/json", query, signal })
    const found = await Promise.all(listed.map(({ Id: id, State: state }) => this.#look(id, state, signal)))
    const ids = new Set(listed.map(({ Id }) => Id))
    for (const id of this.#looked.keys()) if (!ids.has(id)) this.#looked.delete(id)
    for (const id of this.#mine) if (!ids.has(id)) this.#mine.delete(id)
    return found.filter((container) => container !== undefined)
  }

  /** Asking for each of many containers costs an engine much; what goes on running is asked for now and then. */
  async #look(id: string, state: string, signal: AbortSignal): Promise<Container | undefined> {
    const known = this.#looked.get(id)
    if (known && known.state === state && state === "running" && known.looks++ < asked) return known.container
    const key = `${state} ${id}`
    const looking = this.#looking.get(key) ?? this.#lookAnew(id, state, signal)
    this.#looking.set(key, looking)
    try {
      return await looking
    } finally {
      if (this.#looking.get(key) === looking) this.#looking.delete(key)
    }
  }

  async #lookAnew(id: string, state: string, signal: AbortSignal): Promise<Container | undefined> {
    const found = await this.#ours(id, signal)
    if (!found) return undefined
    const container = containerOf(found, this.#host)
    this.#looked.set(id, { state, container, looks: 0 })
    return container
  }

  async differences(id: string, order: ContainerOrder, signal: AbortSignal): Promise<readonly Difference[]> {
    const inspected = await this.#ours(id, signal)
    if (!inspected) return []
    // It was asked for all that a look at a list wants to know.
    const known = this.#looked.get(id)
    const container = containerOf(inspected, this.#host)
    if (known && container.state === "running")
      this.#looked.set(id, { state: known.state, container, looks: 0 })
    const path = `/containers/${id}/changes`
    const files = await this.#ask(Changes, { method: "GET", path, signal })
    return [
      ...changedFiles(files ?? []),
      ...changedSettings(inspected, order, this.#host, this.#handedTo(order)),
    ]
  }

  /** The folder that a container is shown, by its own name alone. */
  #handedTo({ name, configuration }: ContainerOrder): string | undefined {
    if (configuration === undefined) return undefined
    if (this.#handed === undefined) throw new Error(`${name} is configured, and nothing is handed over here`)
    if (this.#handed.includes(":"))
      throw new Error(
        `${this.#handed} has a colon in its name, which engines take for its end; ${name} cannot be handed its configuration: keep the agent in another folder (--dir)`,
      )
    return join(this.#handed, name)
  }

  async output(id: string, write: (chunk: Uint8Array) => void, signal: AbortSignal): Promise<void> {
    if (!(await this.#isOurs(id, signal))) return
    const query = { follow: "true", stdout: "true", stderr: "true" }
    const path = `/containers/${id}/logs`
    await demultiplex(await open(this.#socket, { method: "GET", path, query, signal }), write)
  }

  async image(digest: Digest, signal: AbortSignal) {
    if (!/^sha256:[0-9a-f]{64}$/.test(digest)) throw new Error(`${digest} is not a digest`)
    const found = await this.#image(digest, signal)
    if (!found) return undefined
    if (digestOf(found.Id) !== digest)
      throw new Error(`the engine answers ${found.Id} when it is asked for ${digest}; it is not used`)
    return {
      id: digest,
      bytes: found.Size,
      volumes: Object.keys(found.Config.Volumes ?? {}),
      labels: found.Config.Labels ?? {},
    }
  }

  async build(order: ImageOrder, log: (chunk: Uint8Array) => void, signal: AbortSignal): Promise<Digest> {
    const digest = await buildImage(this.#socket, order, log, signal)
    await this.#name(digest, signal)
    return digest
  }

  async save(digest: Digest, signal: AbortSignal): Promise<Readable> {
    if (!(await this.image(digest, signal)))
      throw new Error(`there is no image ${digest} on this server any more; build its commit again`)
    return open(this.#socket, { method: "GET", path: `/images/${digest}/get`, signal })
  }

  async load(digest: Digest, tar: Readable, signal: AbortSignal): Promise<void> {
    const query = { quiet: "true" }
    const answer = await open(this.#socket, { method: "POST", path: "/images/load", query, tar, signal })
    for await (const line of createInterface({ input: answer })) {
      const said = line.trim() === "" ? undefined : read(BuildLine, JSON.parse(line))
      if (said?.error) throw new Error(said.error.trim())
    }
    if (!(await this.image(digest, signal)))
      throw new Error(`the engine took the tar in and has no image ${digest} from it`)
    await this.#name(digest, signal)
  }

  async push(
    digest: Digest,
    repository: string,
    login: RegistryLogin | undefined,
    signal: AbortSignal,
  ): Promise<RegistryCopy> {
    if (!(await this.image(digest, signal))) throw new Error(`there is no image ${digest} on this server`)
    // A name for it to be pushed by, and for whoever cleans the registry up; nothing is ever fetched by it.
    const name = { repo: repository, tag: digest.replace(":", "-") }
    await this.#tell({ method: "POST", path: `/images/${digest}/tag`, query: name, signal })
    try {
      return { repository, manifest: await pushImage(this.#socket, name, login, signal) }
    } catch (error) {
      throw new Error(`${repository} did not take the image ${digest}: ${wordsOf(error)}`)
    } finally {
      const path = `/images/${name.repo}:${name.tag}`
      await this.#tell({ method: "DELETE", path, signal: AbortSignal.timeout(30_000) }, [404, 409])
    }
  }

  async pull(
    digest: Digest,
    from: RegistryCopy,
    login: RegistryLogin | undefined,
    signal: AbortSignal,
  ): Promise<void> {
    const { repository, manifest } = from
    const reference = `${repository}@${manifest}`
    await pullImage(this.#socket, from, login, signal).catch((error: unknown) => {
      throw new Error(`${reference} could not be fetched: ${wordsOf(error)}`)
    })
    const found = await this.meaning(reference, signal)
    if (found === digest) await this.#name(digest, signal)
    // Our own name holds it, where it is the right one; nothing else does.
    await this.#tell({ method: "DELETE", path: `/images/${reference}`, signal }, [404, 409])
    if (found !== digest)
      throw new Error(
        `${reference} is the image ${found ?? "of nothing"}, and not ${digest}; it is not taken`,
      )
  }

  /** Nothing is run by this name. Images without any are what people prune, also those of a kept release. */
  async #name(digest: Digest, signal: AbortSignal): Promise<void> {
    const { repo, tag } = this.#nameOf(digest)
    await this.#tell({ method: "POST", path: `/images/${digest}/tag`, query: { repo, tag }, signal })
  }

  #nameOf(digest: Digest): { readonly repo: string; readonly tag: string } {
    return { repo: `localhost/immunity-${this.#owner}`, tag: digest.slice("sha256:".length, 19) }
  }

  async meaning(reference: string, signal: AbortSignal): Promise<Digest | undefined> {
    if (!/^[a-zA-Z0-9][\w.:/@-]{0,400}$/.test(reference) || reference.includes("..")) return undefined
    const found = await this.#image(reference, signal)
    return found && digestOf(found.Id)
  }

  async removeImage(digest: Digest, signal: AbortSignal): Promise<boolean> {
    const { repo, tag } = this.#nameOf(digest)
    const name = `${repo}:${tag}`
    // Others may have given it names of their own, or our name to something else.
    if ((await this.meaning(name, signal)) !== digest) return true
    try {
      await this.#tell({ method: "DELETE", path: `/images/${name}`, signal }, [404])
      return true
    } catch (error) {
      if (error instanceof EngineRefused && error.status === 409) return false
      throw error
    }
  }

  #image(reference: string, signal: AbortSignal): Promise<Static<typeof InspectedImage> | undefined> {
    return this.#maybe(InspectedImage, { method: "GET", path: `/images/${reference}/json`, signal })
  }

  /** An id is never given twice and a mark never changes: who was ours is asked for no more. False when it is gone. */
  async #isOurs(id: string, signal: AbortSignal): Promise<boolean> {
    return this.#mine.has(id) || (await this.#ours(id, signal)) !== undefined
  }

  /** Undefined when it is gone. Whatever does not bear our mark is not ours to touch. */
  async #ours(id: string, signal: AbortSignal): Promise<Inspected | undefined> {
    if (!/^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,250}$/.test(id)) throw new Error(`${id} is not a container's name`)
    const found = await this.#maybe(Inspected, { method: "GET", path: `/containers/${id}/json`, signal })
    if (found && found.Config.Labels?.[mark] !== this.#owner)
      throw new Error(`${id} is not a container of this agent; it is left alone`)
    if (found) this.#mine.add(found.Id)
    return found
  }

  async #ask<S extends TSchema>(schema: S, order: Ask): Promise<Static<S>> {
    return read(schema, await ask(this.#socket, order))
  }

  async #maybe<S extends TSchema>(schema: S, order: Ask): Promise<Static<S> | undefined> {
    try {
      return await this.#ask(schema, order)
    } catch (error) {
      if (error instanceof EngineRefused && error.status === 404) return undefined
      throw error
    }
  }

  async #tell(order: Ask, fine: readonly number[] = []): Promise<void> {
    try {
      await ask(this.#socket, order)
    } catch (error) {
      if (!(error instanceof EngineRefused && fine.includes(error.status))) throw error
    }
  }
}

const wordsOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))
