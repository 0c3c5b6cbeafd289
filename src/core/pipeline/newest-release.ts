import type { Application, Release } from "./application.ts"

/** Of all that are asked for. */
export const newestRelease = (
  app: Pick<Application, "releases">,
  wanted: (release: Release) => boolean = () => true,
): Release | undefined =>
  Object.values(app.releases)
    .filter(wanted)
    .reduce<Release | undefined>(
      (newest, release) => (newest && newest.order > release.order ? newest : release),
      undefined,
    )
