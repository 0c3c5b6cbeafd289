/** How long a body is. `close`: until the connection ends, answers only. */
export type Framing =
  | { readonly kind: "none" }
  | { readonly kind: "length"; readonly bytes: number }
  | { readonly kind: "chunked" }
  | { readonly kind: "close" }

export const noBody: Framing = { kind: "none" }
export const chunkedBody: Framing = { kind: "chunked" }
export const bodyToClose: Framing = { kind: "close" }
