// A control plane that gives one order and then holds on to its connection: `order.ts SOCKET BASE64`. Made to be killed.
import { connect } from "node:net"

const [path = "", bytes = ""] = process.argv.slice(2)
const socket = connect({ path })
socket.write(Buffer.from(bytes, "base64"))
socket.pipe(process.stdout)
setInterval(() => {}, 1_000)
