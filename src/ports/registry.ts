import type { RegistryCopy } from "./containers.ts"
import type { Provenance } from "./provenance.ts"

/** Images that servers fetch from a registry instead of from each other. */
export interface ImageRegistry {
  /**
   * Puts an image of this server there, once, and remembers where it lies. Undefined where no registry is configured.
   * Throws, with a sentence, when the registry cannot be reached or refuses.
   */
  publish(origin: Provenance, signal: AbortSignal): Promise<RegistryCopy | undefined>
  /**
   * Brings an image into this server's engine from where its origin says that it lies. Throws, with a sentence, unless
   * what came is this image, of this commit.
   */
  pull(origin: Provenance, signal: AbortSignal): Promise<void>
}
