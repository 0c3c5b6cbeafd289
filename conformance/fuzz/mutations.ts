import { Chance } from "./chance.ts"

/** Requests that are well formed; some carry a second one behind the first. */
const seeds: readonly string[] = [
  "GET /a?b HTTP/1.1\r\nHost: x\r\n\r\n",
  "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello",
  "POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n0\r\nT: v\r\n\r\n",
  "GET http://y/a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
  "GET / HTTP/1.0\r\n\r\n",
  "PUT / HTTP/1.1\r\nHost: x\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nA\r\n0123456789\r\n0\r\n\r\n",
  "POST /1 HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabcGET /2 HTTP/1.1\r\nHost: x\r\n\r\n",
  "POST /1 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\nDELETE /2 HTTP/1.1\r\nHost: x\r\n\r\n",
  'GET /1 HTTP/1.1\r\nHost: x\r\nCookie: a=b; c="d"\r\nAccept: */*\r\n\r\nGET /2 HTTP/1.1\r\nHost: x\r\n\r\n',
  "OPTIONS * HTTP/1.1\r\nHost: [::1]:80\r\n\r\n",
  "GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
  "PATCH /e HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nok",
  "POST /k HTTP/1.0\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\nzHEAD /l HTTP/1.0\r\n\r\n",
]

/** What has divided readers of HTTP before. */
const pieces: readonly string[] = [
  "\r",
  "\n",
  "\r\n",
  "\r\n\r\n",
  " ",
  "\t",
  "\0",
  "\x0b",
  "\x0c",
  "\x7f",
  "\x85",
  "\xa0",
  "\xe4",
  ":",
  ";",
  ",",
  "#",
  "@",
  "%00",
  "\\",
  "0",
  "+",
  "-",
  "_",
  "0x",
  "ffffffffffffffff",
  "00000000000000000000",
  "9007199254740993",
  " chunked",
  "chunked",
  "chunked, ",
  "identity",
  "close",
  "Transfer-Encoding: chunked\r\n",
  "Transfer-Encoding: identity\r\n",
  "Transfer-Encoding: gzip, chunked\r\n",
  "Transfer-Encoding:\x0bchunked\r\n",
  "Transfer-Encoding : chunked\r\n",
  "Transfer-Encoding: Chunked\r\n",
  "Content-Length: 3\r\n",
  "Content-Length: 3, 3\r\n",
  "Content-Length: +3\r\n",
  "Content-Length:\r\n",
  "content-length: 0\r\n",
  "Host: z\r\n",
  "Host:\r\n",
  "Connection: close\r\n",
  "Connection: keep-alive, Content-Length\r\n",
  "Connection: upgrade\r\nUpgrade: h2c\r\n",
  "Expect: 200-maybe\r\n",
  " folded: yes\r\n",
  ": empty\r\n",
  "novalue\r\n",
  "GET /smuggled HTTP/1.1\r\nHost: y\r\n\r\n",
  "5\r\nhello\r\n",
  "0\r\n\r\n",
  ';x="y z"',
  ";x =y",
  " HTTP/1.1",
  "HTTP/2.0",
  "HTTP/1.2",
]

const alphabet = '\r\n\t\0 :;,=#/?"0123456789abcdefGETHOSPUx.-+_%'

/** One request with one to four mistakes in it. The same seed and number give the same bytes. */
export function mutated(seed: number, number: number): Buffer {
  const chance = new Chance(Math.imul(seed, 0x9e3779b1) ^ Math.imul(number + 1, 0x85ebca6b))
  let text = chance.of(seeds)
  for (let left = 1 + chance.below(chance.below(3) === 0 ? 4 : 2); left > 0; left -= 1)
    text = mistake(text, chance)
  return Buffer.from(text, "latin1")
}

function mistake(text: string, chance: Chance): string {
  const at = chance.below(text.length + 1)
  switch (chance.below(9)) {
    case 0:
      return text.slice(0, at) + text.slice(at + 1)
    case 1:
      return text.slice(0, at) + chance.of(pieces) + text.slice(at)
    case 2:
      return text.slice(0, at) + String.fromCharCode(chance.below(256)) + text.slice(at + 1)
    case 3:
      return text.slice(0, at) + alphabet.charAt(chance.below(alphabet.length)) + text.slice(at)
    case 4:
    case 5:
      return betweenLines(text, chance.of(pieces), chance)
    case 6: {
      const length = 1 + chance.below(8)
      return text.slice(0, at) + text.slice(at, at + length) + text.slice(at)
    }
    case 7: {
      const length = 1 + chance.below(6)
      return text.slice(0, at) + text.slice(at + length)
    }
    default:
      return changedCase(text, at)
  }
}

/** Where a header line begins. */
function betweenLines(text: string, piece: string, chance: Chance): string {
  const starts = [...text.matchAll(/\r\n/g)].map((match) => match.index + 2)
  if (starts.length === 0) return text + piece
  const start = chance.of(starts)
  return text.slice(0, start) + piece + text.slice(start)
}

function changedCase(text: string, at: number): string {
  const one = text.charAt(at)
  const other = one === one.toLowerCase() ? one.toUpperCase() : one.toLowerCase()
  return text.slice(0, at) + other + text.slice(at + 1)
}
