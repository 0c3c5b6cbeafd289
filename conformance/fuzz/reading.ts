/** One request as a reader understood it. */
export type ReadMessage = {
  readonly method: string
  readonly target: string
  readonly minor: number
  /** Name in lower case and value, in the order they came. */
  readonly fields: readonly (readonly [name: string, value: string])[]
  /** One character for each byte. */
  readonly body: string
  readonly keepAlive: boolean
  /** Where the next request begins; undefined where the reader cannot say. */
  readonly end: number | undefined
}

/** What a reader made of a stream of bytes: requests that it takes as whole, and why it stopped. */
export type Reading = {
  readonly messages: readonly ReadMessage[]
  readonly stopped: /** All was read, up to the last byte. */
    | { readonly kind: "finished" }
    /** It waits for more. */
    | { readonly kind: "waiting" }
    | { readonly kind: "refused"; readonly because: string }
    /** What follows is not for it: after `Connection: close`, or after a change of protocol. */
    | { readonly kind: "closed" }
}
