/** As the file names them, Sunday first. */
export const weekdays = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]

/** What is wrong with the name of a time zone, in a sentence; undefined when nothing is. */
export function zoneProblem(zone: string): string | undefined {
  try {
    new Intl.DateTimeFormat("en", { timeZone: zone })
    return undefined
  } catch {
    return `"${zone}" is not a time zone such as "Europe/Berlin"`
  }
}
