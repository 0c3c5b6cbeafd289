import { createSocket, type Socket } from "node:dgram"
import { once } from "node:events"

export type Answering = "truth" | "failure" | "silence" | "lies"

/** Where nobody listens. */
const nowhere = [127, 9, 9, 9]

/** A name server that knows one address for every name, and can fail, fall silent or lie about it. */
export class NameServer {
  answering: Answering = "truth"
  asked = 0
  readonly #socket: Socket

  private constructor(socket: Socket) {
    this.#socket = socket
  }

  /** On port 53 of an address of the loopback; throws where that is not allowed. */
  static async start(address: string): Promise<NameServer> {
    const socket = createSocket("udp4")
    const server = new NameServer(socket)
    socket.on("message", (query, from) => {
      server.asked += 1
      if (server.answering !== "silence")
        socket.send(answerTo(query, server.answering), from.port, from.address)
    })
    socket.bind(53, address)
    await once(socket, "listening")
    return server
  }

  stop(): void {
    this.#socket.close()
  }
}

/** RFC 1035: the question as it came, and one address for it if it asked for one. */
function answerTo(query: Buffer, answering: Answering): Buffer {
  let end = 12
  while ((query[end] ?? 0) !== 0) end += (query[end] ?? 0) + 1
  const question = query.subarray(12, end + 5)
  const asksForAddress = query.readUInt16BE(end + 1) === 1
  const found = asksForAddress && answering !== "failure"
  const head = Buffer.alloc(12)
  query.copy(head, 0, 0, 2)
  head.writeUInt16BE(answering === "failure" ? 0x8182 : 0x8180, 2)
  head.writeUInt16BE(1, 4)
  head.writeUInt16BE(found ? 1 : 0, 6)
  if (!found) return Buffer.concat([head, question])
  const record = Buffer.from([0xc0, 0x0c, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4])
  return Buffer.concat([head, question, record, Buffer.from(answering === "lies" ? nowhere : [127, 0, 0, 1])])
}
