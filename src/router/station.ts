import { Alone } from "./crew.ts"
import { DataPlane } from "./data-plane.ts"
import type { Limits } from "./limits.ts"
import { Listeners } from "./listeners.ts"
import type { TlsFiles } from "./secure-server.ts"

/** Doors and what lies behind them, ready for a table. */
export function openStation(limits: Limits, tls: TlsFiles | undefined): Alone {
  const plane = new DataPlane(limits)
  const listeners: Listeners = new Listeners(
    (socket, door) => plane.accept(socket, door),
    (route) => plane.routeOf(route),
    () => plane.closeOrphans(),
    tls,
  )
  return new Alone(plane, listeners)
}
