import { request } from "node:http"
import { connect } from "node:net"
import type { RouteHealth } from "../../../core/pipeline/effects.ts"

/** How long an instance may take to accept a connection, in ms. */
const patience = 1_000

/** Whether a new instance may take users: it answers how it is with 2xx or 3xx or, unasked, takes a connection. */
export const isUp = (address: string, health: RouteHealth | undefined): Promise<boolean> =>
  health ? answersWell(address, health) : accepts(address)

const accepts = (address: string): Promise<boolean> =>
  new Promise((resolve) => {
    const [host, port] = address.split(":")
    const socket = connect({ host, port: Number(port), timeout: patience })
    const end = (found: boolean) => {
      socket.destroy()
      resolve(found)
    }
    socket.once("connect", () => end(true))
    socket.once("timeout", () => end(false))
    socket.once("error", () => end(false))
  })

const answersWell = (address: string, { path, timeout }: RouteHealth): Promise<boolean> =>
  new Promise((resolve) => {
    const [host, port] = address.split(":")
    const headers = { Host: "immunity-router", "User-Agent": "immunity-router", Connection: "close" }
    const signal = AbortSignal.timeout(timeout)
    const asked = request({ host, port, path, agent: false, signal, headers }, (answer) => {
      const status = answer.statusCode ?? 0
      answer.on("error", () => undefined)
      resolve(status >= 200 && status < 400)
      asked.destroy()
    })
    asked.on("error", () => resolve(false))
    asked.end()
  })
