import type { Socket } from "node:net"

/**
 * Emits what a flowing socket brings at once. The stream's own way to its listeners looks after a buffer that is
 * empty, and orders a next tick for every piece. What comes while the socket is paused, and the end, go that way.
 */
export function readSwiftly(socket: Socket): void {
  const push = socket.push
  socket.push = (chunk: Buffer | null, encoding?: BufferEncoding) => {
    if (chunk === null || socket.readableLength > 0 || !socket.readableFlowing)
      return push.call(socket, chunk, encoding)
    socket.emit("data", chunk)
    return true
  }
}
