/** Nearly all heads are shorter. */
const usual = 2_048

/**
 * The text of a head from `from` on, with the end of its last line and without the empty line behind it; undefined:
 * its end is not there yet. `likely`: how long it probably is, so that no more is turned into text than needed.
 */
export function headText(buffer: Buffer, from: number, likely = usual): string | undefined {
  // Searching in text is several times cheaper than searching in a buffer, and the text is needed anyway.
  const start = buffer.toString("latin1", from, Math.min(buffer.length, from + likely + emptyLine.length))
  const near = start.indexOf(emptyLine)
  if (near !== -1) return start.slice(0, near + 2)
  if (buffer.length - from <= likely + emptyLine.length) return undefined
  const end = buffer.indexOf(emptyLine, from, "latin1")
  return end === -1 ? undefined : buffer.toString("latin1", from, end + 2)
}

const emptyLine = "\r\n\r\n"
