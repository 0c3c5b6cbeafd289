import type { AppName } from "../core/model/ids.ts"

/** What the server pins for an application, as written: YAML of the same words as immunity.yaml. */
export interface Policies {
  get(app: AppName): Promise<string | undefined>
  set(app: AppName, yaml: string): Promise<void>
}
