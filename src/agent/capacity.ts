import { freemem, totalmem } from "node:os"
import type { Capacity } from "../core/model/capacity.ts"
import type { RunningInstance } from "../ports/compute.ts"

/**
 * Of this machine. Processor time can be shared, so it is not counted. Where this process may use a part of the memory
 * alone nothing is said: what the kernel counts as used there includes files that it would drop at once.
 */
export function machineCapacity(): Capacity {
  const part = process.constrainedMemory()
  if (part > 0 && part < totalmem()) return {}
  return { memory: { total: totalmem(), free: freemem() } }
}

/** The narrower of what was declared and what was told. */
export function limitedTo(
  most: number | undefined,
  running: readonly RunningInstance[],
  told: Capacity,
): Capacity {
  if (most === undefined) return told
  const here = running.filter(({ state }) => state === "running").length
  const declared = { total: most, free: Math.max(0, most - here) }
  const { instances } = told
  return { ...told, instances: instances && instances.free < declared.free ? instances : declared }
}
