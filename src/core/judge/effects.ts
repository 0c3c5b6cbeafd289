/** A guess at how many times what is tolerated there is, with its natural logarithm, which every interval needs. */
export type Effect = { readonly times: number; readonly log: number }

export const effectsOf = (times: readonly number[]): readonly Effect[] =>
  times.map((one) => ({ times: one, log: Math.log(one) }))
