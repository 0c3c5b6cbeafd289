import type { File } from "./schema.ts"

type Warning = { readonly path: readonly (string | number)[]; readonly message: string }

/** What a file asks for and the chosen router cannot do, with what happens instead. */
export function routerWarnings(file: File, router: string | undefined): readonly Warning[] {
  if (router !== "haproxy") return []
  return file.regions.flatMap(({ sticky, mirror }, i) => {
    const found: Warning[] = []
    if (typeof sticky === "object" && sticky.selection === "hash")
      found.push({
        path: ["regions", i, "sticky", "selection"],
        message: "HAProxy chooses sides by sha256 and knows no hash: say sha256, or leave it out",
      })
    if (typeof mirror === "object" && (mirror.headers ?? []).length > 0)
      found.push({
        path: ["regions", i, "mirror", "headers"],
        message:
          "HAProxy's copies carry Host, Accept, Accept-Language and User-Agent and no other field: leave it out, or use router: embedded",
      })
    return found
  })
}
