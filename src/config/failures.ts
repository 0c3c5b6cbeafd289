import type { Hours, Policy } from "../core/model/policy.ts"
import type { Problem } from "./problem.ts"
import type { File, HoursFile } from "./schema.ts"
import { durationOf } from "./units.ts"
import { weekdays, zoneProblem } from "./week.ts"

type Found = Pick<Problem, "severity" | "code" | "message"> & { readonly path: readonly (string | number)[] }

/** What the file says of instances that are ended on purpose; nothing where it says nothing. */
export function failuresOf({
  failures,
  maxAge,
}: Pick<File, "failures" | "maxAge">): Pick<Policy, "failures"> {
  if (failures === undefined && maxAge === undefined) return {}
  const between = failures && hoursOf(failures)
  return {
    failures: {
      ...(failures ? { every: durationOf(failures.every) } : {}),
      ...(maxAge === undefined ? {} : { maxAge: durationOf(maxAge) }),
      ...(between ? { between } : {}),
    },
  }
}

/** How often regions are rebuilt beside themselves; nothing where the file says nothing. */
export function drillOf({ drill }: Pick<File, "drill">): Pick<Policy, "drill"> {
  if (!drill) return {}
  const between = hoursOf(drill)
  return { drill: { every: durationOf(drill.every), ...(between ? { between } : {}) } }
}

/** The hours as the core reads them; undefined: always. */
function hoursOf({ between, days: named, zone }: HoursFile): Hours | undefined {
  if (between === undefined && named === undefined) return undefined
  const [from = 0, until = 24 * 60] = (between ?? "00:00-24:00").split("-").map((text) => {
    const [hour = 0, minute = 0] = text.trim().split(":").map(Number)
    return hour * 60 + minute
  })
  return { from, until, days: daysOf(named ?? "Sun-Sat"), zone: zone ?? "UTC" }
}

/** `Fri-Mon` goes over the weekend. */
function daysOf(named: string): readonly number[] {
  const [first = 0, last = first] = named.split("-").map((name) => weekdays.indexOf(name.trim()))
  const count = ((last - first + 7) % 7) + 1
  return Array.from({ length: count }, (_, i) => (first + i) % 7)
}

/** What is wrong with hours, in a sentence for the key that it stands at. */
function hoursProblem(
  hours: HoursFile,
): { readonly key: "between" | "zone"; readonly message: string } | undefined {
  const read = hoursOf(hours)
  if (read && read.from >= read.until)
    return { key: "between", message: `"${hours.between}" ends before it begins; give hours of one day` }
  const message = zoneProblem(hours.zone ?? "UTC")
  return message === undefined ? undefined : { key: "zone", message }
}

const leastEvery = 60_000
const leastAge = 300_000
const leastDrill = 3_600_000

/** Hours that are none, a storm of failures, and failures that can never happen. */
export function failureProblems(file: File, policy: Policy): readonly Found[] {
  const found: Found[] = []
  const { failures } = policy
  for (const key of ["failures", "drill"] as const) {
    const hours = file[key] && hoursProblem(file[key])
    if (hours) found.push({ severity: "error", code: "C105", path: [key, hours.key], message: hours.message })
  }
  if (policy.drill && policy.drill.every < leastDrill)
    found.push(tooOften("drill", "every", "a drill each hour is the most; give 1h or more"))
  if (policy.drill && !policy.regions.some(({ production }) => production))
    found.push({
      severity: "warning",
      code: "C310",
      path: ["drill"],
      message: "drills rebuild production regions, and there is none; order them: immunity drill",
    })
  if (!failures) return found
  if (failures.every !== undefined && failures.every < leastEvery)
    found.push(tooOften("failures", "every", "a kill each minute is the most; give 1m or more"))
  if (failures.maxAge !== undefined && failures.maxAge < leastAge)
    found.push(tooOften("maxAge", undefined, "instances younger than 5m are not replaced for their age"))
  const some = policy.regions.filter((region) => region.failures !== false)
  if (failures.every !== undefined && !some.some(({ size }) => size > 1))
    found.push({
      severity: "warning",
      code: "C310",
      path: ["failures"],
      message:
        "every region has one instance or says failures: false, and the last one is never ended; give size: 2",
    })
  return found
}

const tooOften = (key: string, inner: string | undefined, message: string): Found => ({
  severity: "error",
  code: "C311",
  path: inner === undefined ? [key] : [key, inner],
  message,
})
