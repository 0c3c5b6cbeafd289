import type { AnswerSample } from "../model/measurement.ts"
import type { Difference } from "./difference.ts"
import type { Leaf } from "./flatten.ts"
import { looksSecret, namesSecret } from "./secret.ts"

const longest = 24

/**
 * A difference as it may be kept and shown: shapes instead of contents, because an answer may hold what
 * belongs to a person. Letters become `a`, digits `9`; types, statuses and lengths of lists stay. Of what
 * looks secret only type and length are told.
 */
export function redact({ path, kind, stable, other }: Difference): AnswerSample {
  const plain = path === "status" || path === "header content-type"
  const secret = namesSecret(path)
  return { kind, stable: shown(stable, plain, secret), candidate: shown(other, plain, secret) }
}

function shown(leaf: Leaf | undefined, plain: boolean, secret: boolean): string {
  if (!leaf) return "absent"
  const [first = "", ...more] = leaf.value.split("\n")
  const several = more.length > 0 ? ` and ${more.length} more` : ""
  switch (leaf.type) {
    case "object":
      return "an object"
    case "list":
      return `a list of ${first.slice(0, longest)}${several}`
    case "null":
      return `null${several}`
    case "boolean":
      return `${first}${several}`
    case "empty":
      return "nothing"
    case "text":
      return `text of ${leaf.value.length} characters`
    default:
      if (!plain && (secret || looksSecret(first)))
        return `${leaf.type} of ${first.length} characters${several}`
      return plain ? leaf.value.slice(0, 60) : `${leaf.type} ${shape(first)}${several}`
  }
}

const shape = (text: string): string => {
  const masked = text
    .slice(0, longest)
    .replaceAll(/\p{L}/gu, "a")
    .replaceAll(/\p{N}/gu, "9")
    .replaceAll(/[^a9 .,:;_@/+-]/g, "?")
  return text.length > longest ? `${masked}…` : masked
}
