import type { Compared } from "./compare.ts"

/** Why the router may differ from llhttp, for each way in which it does. */
const explanations: readonly (readonly [because: RegExp, why: string])[] = [
  [/^Host is missing$/, "RFC 9112 3.2: 400 without Host; llhttp leaves that to node:http"],
  [/^Host is there twice$/, "RFC 9112 3.2: 400 for more than one Host; llhttp does not look"],
  [/^Host is not a host$/, "RFC 9112 3.2: 400 for an invalid Host; llhttp does not look"],
  [/^the request line is not: method, target, version$/, "RFC 9112 3: single spaces; llhttp skips more"],
  [/^only Expect: 100-continue is understood$/, "RFC 9110 10.1.1: 417; llhttp does not look"],
  [/^the target is neither a path nor a URL$/, "RFC 9112 3.2: * is for OPTIONS alone; llhttp lets more pass"],
  [/^the target holds a character that belongs in no target$/, "RFC 9112 3.2: no fragment in a target"],
  [/^this is not an HTTP\/1\.1 request$/, "RFC 9112 2.2: one empty line before a request; llhttp skips many"],
  [/^this method is not known here$/, "a router for web applications lets seven methods pass"],
  [/^(CONNECT|TRACE) is not allowed here$/, "a router for web applications lets seven methods pass"],
  [/^Transfer-Encoding is not chunked$/, "RFC 9112 6.1: other codings are for nobody behind here"],
  [/^a tab beside the value of/, "readers differ on a tab beside a length or a coding"],
  [/^Content-Length is not a plain number$/, "at most 15 digits; llhttp takes up to 2^64"],
  [/^Transfer-Encoding is there twice$/, "RFC 9112 6.1: chunked is said once; llhttp takes the last"],
  [/^HTTP\/1\.0 has no Transfer-Encoding$/, "RFC 9112 6.1: faulty framing in HTTP/1.0"],
  [/^a chunk is too large$/, "at most 16 digits; llhttp takes any number of leading zeros"],
  [
    /^a chunk extension is not understood$/,
    "RFC 9112 7.1.1, without the bad whitespace and without empty values",
  ],
  [/^a trailer tells how to read the message$/, "RFC 9110 6.5.1: framing does not stand in a trailer"],
  [/^a line ends without CR$/, "bare LF is refused, also before the first request"],
  [/^a header line has no colon$/, "RFC 9112 5; llhttp takes some lines without one in trailers"],
  [/^the version is not HTTP\/1\.1$/, "llhttp takes a line without a version, as HTTP/0.9 had it"],
  [/^HTTP\/\d\.\d is not spoken here/, "only HTTP/1.1 and 1.0; llhttp knows 0.9 and 2.0 by name"],
  [/^ours is waiting/, "an empty line behind a request: the router waits for what follows it"],
  [/^ours is closed/, "close wins over keep-alive, and the router ends the connection after the answer"],
]

const waits =
  "llhttp refuses at the first wrong byte; the router reads a head when it is whole, and ends by a timeout"

/** The explanation of a difference; undefined when there is none, and then it is a finding. */
export function explain({ outcome, because }: Compared): string | undefined {
  switch (outcome) {
    case "same":
    case "both-refuse":
      return "no difference"
    case "waits":
      return waits
    case "stricter":
      return explanations.find(([pattern]) => pattern.test(because))?.[1]
    default:
      return undefined
  }
}
