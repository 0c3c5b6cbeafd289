import type { RouteHealth } from "../../../core/pipeline/effects.ts"
import type { Placement } from "./book.ts"

/** The words of a server, in the file and in `add server`: asked by HAProxy itself, taken out by refused connections. */
export function serverWords(
  { number, address }: Placement,
  health: RouteHealth | undefined,
  inFlight: number,
): string {
  const check = health
    ? `inter ${health.every}ms fall ${health.unhealthy} rise ${health.healthy}`
    : "inter 500 fastinter 100 fall 2 rise 1"
  return `${address} id ${number} maxconn ${inFlight} pool-purge-delay 1s check ${check} observe layer4 error-limit 3 on-error mark-down`
}

/** How a backend asks its servers how they are; without health they must only take a connection. */
export const checkRules = (health: RouteHealth | undefined): readonly string[] =>
  health
    ? [
        "  option httpchk",
        `  http-check send meth GET uri "${health.path.replace(/["\\$]/g, "\\$&")}" ver HTTP/1.1 hdr Host immunity-router hdr User-Agent immunity-router`,
        "  http-check expect status 200-399",
        `  timeout check ${health.timeout}ms`,
      ]
    : []
