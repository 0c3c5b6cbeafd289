/** An application's name: `[a-z][a-z0-9-]{0,39}`. */
export type AppName = string

/** A region's name inside one application. */
export type RegionName = string

/** A server's name: where an agent answers. */
export type ServerName = string

/** A full git commit id, 40 or 64 hex digits. */
export type CommitId = string

/** What was built once from a commit: `sha256:<64 hex>` over the manifest of its files. */
export type Digest = `sha256:${string}`

/**
 * A release is named by the commit that it was built from; a commit is built once. The same build with a changed
 * configuration is another release: `<commit>.c7`.
 */
export type ReleaseId = string

/** Numbers the rollouts of one application, from 1; `papi#7`. Never reused. */
export type RolloutNumber = number

/** One running copy. Contains application, region, rollout and a serial; never reused. */
export type InstanceId = string

/** A confined run of a command on an agent, deterministic: `papi-build-7be2d4e-1`. Never reused. */
export type JobId = string

/** The short form people read: `7be2d4e`, and `7be2d4e.c3` for a release with a configuration of its own. */
export function shortCommit(id: CommitId | ReleaseId): string {
  const [commit = "", ...configuration] = id.split(".")
  return [commit.slice(0, 7), ...configuration].join(".")
}
