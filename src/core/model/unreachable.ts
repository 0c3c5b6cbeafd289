/** Ends every switch over a union: the compiler shows where a new case still needs a thought. */
export function unreachable(value: never): never {
  throw new Error(`unreachable: ${JSON.stringify(value)}`)
}
