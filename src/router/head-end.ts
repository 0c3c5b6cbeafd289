/** Nearly all heads are shorter. */
const usual = 2_048

/** The text of a head from `from` on, without the empty line that ends it; undefined: its end is not there yet. */
export function headText(buffer: Buffer, from: number): string | undefined {
  // Searching in text is several times cheaper than searching in a buffer, and the text is needed anyway.
  const start = buffer.toString("latin1", from, Math.min(buffer.length, from + usual))
  const near = start.indexOf("\r\n\r\n")
  if (near !== -1) return start.slice(0, near)
  if (buffer.length - from <= usual) return undefined
  const end = buffer.indexOf("\r\n\r\n", from, "latin1")
  return end === -1 ? undefined : buffer.toString("latin1", from, end)
}
