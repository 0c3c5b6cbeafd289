import { exit, Stop } from "../cli/client.ts"

/** The port that --port names; 0 is any that is free. */
export function portOf(text: string): number {
  if (!/^\d{1,5}$/.test(text) || Number(text) > 65_535)
    throw new Stop(
      exit.usage,
      `--port ${text} is not a port: a number from 0, for any that is free, to 65535`,
    )
  return Number(text)
}
