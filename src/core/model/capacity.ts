/** What there is of something, and how much of that nobody uses now. */
export type Share = { readonly total: number; readonly free: number }

/** What a server has room for, as far as it knows: instances, bytes of memory, processors. */
export type Capacity = {
  readonly instances?: Share | undefined
  readonly memory?: Share | undefined
  readonly cpus?: Share | undefined
}
