import { totalmem } from "node:os"
import type { Capacity } from "../core/model/capacity.ts"
import type { RunningInstance } from "../ports/compute.ts"

/** Of this machine, or of the part of it that this process may use. Processor time can be shared, so it is not counted. */
export function machineCapacity(): Capacity {
  const part = process.constrainedMemory()
  const total = part > 0 && part < totalmem() ? part : totalmem()
  return { memory: { total, free: Math.min(total, process.availableMemory()) } }
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
