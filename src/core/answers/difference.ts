import { type Flat, type Leaf, mostPaths } from "./flatten.ts"

/** How two answers differ at one path. All but `value` are structural: another shape, not another content. */
export type Difference = {
  readonly path: string
  readonly kind: "value" | "type" | "missing" | "extra"
  readonly stable: Leaf | undefined
  readonly other: Leaf | undefined
}

export const isStructural = ({ kind }: Difference): boolean => kind !== "value"

/** Where the other answer differs; below a structural difference nothing more is told. */
export function differences(stable: Flat, other: Flat): readonly Difference[] {
  const whole = stable.size < mostPaths && other.size < mostPaths
  const found: Difference[] = []
  const broken: string[] = []
  for (const path of new Set([...stable.keys(), ...other.keys()])) {
    if (broken.some((parent) => path.startsWith(`${parent}.`) || path.startsWith(`${parent}[`))) continue
    const [a, b] = [stable.get(path), other.get(path)]
    if ((!a || !b) && !whole) continue
    const kind = kindOf(a, b)
    if (!kind) continue
    found.push({ path, kind, stable: a, other: b })
    if (kind !== "value") broken.push(path)
  }
  return found
}

function kindOf(a: Leaf | undefined, b: Leaf | undefined): Difference["kind"] | undefined {
  if (!b) return "missing"
  if (!a) return "extra"
  // A body too large to be read is equal to everything: what was not seen is not accused.
  if (a.type === "large" || b.type === "large") return undefined
  if (a.type !== b.type) return "type"
  return a.value === b.value ? undefined : "value"
}

/** One path of one request on which only one of the two, candidate or second stable instance, differs. */
export type Discordance = {
  readonly path: string
  readonly structural: boolean
  readonly who: "candidate" | "second"
  readonly difference: Difference
}

/**
 * Where exactly one of the two differs from the first stable instance. Were the candidate as good as the
 * second stable instance, either would be the one as often as the other; where both differ, or none, nothing
 * is learnt. Shape and content are weighed apart: a path whose content is noise may still lose its shape.
 */
export function discordances(first: Flat, second: Flat, candidate: Flat): readonly Discordance[] {
  const raw = differences(first, candidate)
  const noise = differences(first, second)
  return [...only(raw, noise, "candidate"), ...only(noise, raw, "second")].sort((a, b) =>
    a.path < b.path ? -1 : a.path > b.path ? 1 : Number(a.structural) - Number(b.structural),
  )
}

function only(
  these: readonly Difference[],
  those: readonly Difference[],
  who: Discordance["who"],
): readonly Discordance[] {
  const key = (difference: Difference) => `${isStructural(difference)} ${difference.path}`
  const others = new Set(those.map(key))
  return these.flatMap((difference) =>
    others.has(key(difference))
      ? []
      : [{ path: difference.path, structural: isStructural(difference), who, difference }],
  )
}
