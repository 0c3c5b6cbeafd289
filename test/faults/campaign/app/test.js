// A test of the new instances alone: `papi.json` says whether it also floods its log.
import { readFileSync, writeSync } from "node:fs"

const { flaw } = JSON.parse(readFileSync(new URL("./papi.json", import.meta.url), "utf8"))
if (flaw === "flood-test") {
  const chunk = Buffer.alloc(1024 * 1024, "x")
  for (let megabytes = 0; megabytes < 1_024; megabytes++) {
    for (let sent = 0; sent < chunk.length; ) {
      try {
        sent += writeSync(1, chunk, sent)
      } catch (error) {
        if (error.code !== "EAGAIN") throw error
      }
    }
  }
}
if (flaw === "hungry-test") {
  const hoard = []
  for (;;) hoard.push(Buffer.alloc(64 * 1024 * 1024, 1))
}
const answer = await fetch(`${process.env.IMMUNITY_URL}/items?id=test`)
if (answer.status !== 200) throw new Error(`it answered ${answer.status}`)
