import { PortRange } from "../../providers/compute/port-range.ts"

/** Other ones than those of instances. */
const range = new PortRange(10_000, 10_000)

/** Ports of the loopback that nobody uses at the moment. Throws when there are not so many. */
export async function freePorts(count: number): Promise<readonly number[]> {
  const found: number[] = []
  while (found.length < count) found.push(await range.free("127.0.0.1", new Set(found)))
  return found
}
