import type { Readable } from "node:stream"
import type { CommitId, Digest } from "../core/model/ids.ts"
import type { Origin } from "../core/model/origin.ts"
import type { Duration, Instant } from "../core/model/time.ts"
import type { Difference } from "../core/pipeline/events.ts"

/** Where a container finds the folder with its configuration. */
export const handedAt = "/run/immunity"

/** All that can be asked of a container. What is not here cannot be had: no mounts, no privileges, no other network. */
export type ContainerOrder = {
  readonly name: string
  /** By digest only: a name could mean something else tomorrow. */
  readonly image: Digest
  readonly command: readonly string[]
  readonly env: Readonly<Record<string, string>>
  /** The port it listens on inside; it is published at one address of the machine, on a port that the engine chooses. */
  readonly port: number
  /** Bytes; there is always a limit. */
  readonly memory: number
  /** Processors' worth of time; there is always a limit. */
  readonly cpus: number
  /**
   * It was handed a configuration, with this digest: it is shown the folder that belongs to its name, and to nobody
   * else, read-only at `handedAt`. An order cannot say which folder, nor where.
   */
  readonly configuration?: Digest | undefined
  /** What people see in the engine's own lists; nothing is decided by it. */
  readonly about: {
    readonly app: string
    readonly region: string
    readonly release: string
    readonly instance: string
    /** Of the control plane that ordered it. */
    readonly epoch: number
  }
}

export type Container = {
  readonly id: string
  readonly name: string
  readonly image: Digest
  readonly state: "created" | "running" | "ended"
  readonly startedAt: Instant
  readonly pid: number | undefined
  readonly address: string | undefined
  readonly exitCode: number | undefined
  readonly outOfMemory: boolean
  readonly memoryLimit: number | undefined
}

export type ImageOrder = {
  /** A folder with a Dockerfile. */
  readonly context: string
  /** Absent for an image that no commit stands behind: a base. */
  readonly commit: CommitId | undefined
  readonly origin?: Origin | undefined
  readonly network: "none" | "allowed"
}

export type Image = {
  readonly id: Digest
  readonly bytes: number
  /** Folders that the image wants to be written to outside of itself. */
  readonly volumes: readonly string[]
  readonly labels: Readonly<Record<string, string>>
}

/** Where an image lies in a registry. It is asked for by the digest of its manifest, never by a tag. */
export type RegistryCopy = { readonly repository: string; readonly manifest: Digest }

export type RegistryLogin = { readonly username: string; readonly password: string }

/**
 * A container engine, seen through a short list of verbs. Only containers that bear this agent's mark can be
 * listed, read, stopped or removed; to all others it is blind. What it says of a container is the engine's word:
 * whether an instance serves, only a probe can tell.
 */
export interface Containers {
  /** Which engine answers. Throws, saying where it looked, when none does. */
  version(signal: AbortSignal): Promise<string>
  /**
   * Throws when the order is outside of the list, the image is not there, or the name is taken. Never starts it.
   * Answers its id.
   */
  create(order: ContainerOrder, signal: AbortSignal): Promise<string>
  start(id: string, signal: AbortSignal): Promise<void>
  /** Asks it to end and forces it after `grace`; what has ended already is well. */
  stop(id: string, grace: Duration, signal: AbortSignal): Promise<void>
  /** What is gone already is well. */
  remove(id: string, signal: AbortSignal): Promise<void>
  /** Undefined when there is none. Throws when the name belongs to somebody else's container. */
  find(name: string, signal: AbortSignal): Promise<Container | undefined>
  list(signal: AbortSignal): Promise<readonly Container[]>
  /** Where it differs from its order and from its image; paths begin with a slash, all else is named in words. */
  differences(id: string, order: ContainerOrder, signal: AbortSignal): Promise<readonly Difference[]>
  /** Its output from the beginning on, as it comes, until it ends. */
  output(id: string, write: (chunk: Uint8Array) => void, signal: AbortSignal): Promise<void>
  /** Undefined when there is none with this digest. */
  image(digest: Digest, signal: AbortSignal): Promise<Image | undefined>
  build(order: ImageOrder, log: (chunk: Uint8Array) => void, signal: AbortSignal): Promise<Digest>
  /** What a name in a Dockerfile means on this server now; undefined when nothing. */
  meaning(reference: string, signal: AbortSignal): Promise<Digest | undefined>
  /** An image with all its layers as a tar, as it comes from the engine. Throws when it is not there. */
  save(digest: Digest, signal: AbortSignal): Promise<Readable>
  /**
   * Takes in the tar of an image. Throws when the engine knows no image of this digest afterwards. It does not look
   * into the tar: whoever brings one must know that nothing else is in it.
   */
  load(digest: Digest, tar: Readable, signal: AbortSignal): Promise<void>
  /** Puts an image into a repository of a registry; where it lies there. Throws with the registry's own words. */
  push(
    digest: Digest,
    repository: string,
    login: RegistryLogin | undefined,
    signal: AbortSignal,
  ): Promise<RegistryCopy>
  /** Takes in what lies there, by its digest alone. Throws, and keeps nothing, when that is not this image. */
  pull(
    digest: Digest,
    from: RegistryCopy,
    login: RegistryLogin | undefined,
    signal: AbortSignal,
  ): Promise<void>
  /**
   * Takes our own name from an image, and with its last name the image goes. False, and nothing changes, while a
   * container uses it; one that does not bear our name is not ours to remove.
   */
  removeImage(digest: Digest, signal: AbortSignal): Promise<boolean>
}
