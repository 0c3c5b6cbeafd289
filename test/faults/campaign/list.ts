import { f01 } from "./f01-kill-at-every-step.ts"
import { f02 } from "./f02-frozen-holder.ts"
import { f03 } from "./f03-router-killed.ts"
import { f04 } from "./f04-torn-state.ts"
import { f05 } from "./f05-control-plane-off.ts"
import { f06 } from "./f06-partition.ts"
import { f07 } from "./f07-database-killed.ts"
import { f08 } from "./f08-disk-full.ts"
import { f09 } from "./f09-no-descriptors.ts"
import { f10 } from "./f10-slow-and-failing-disk.ts"
import { f11 } from "./f11-floods-and-hunger.ts"
import { f12 } from "./f12-names.ts"
import { f13 } from "./f13-metrics-lie.ts"
import { f14 } from "./f14-git-trouble.ts"
import { f15 } from "./f15-wall-clock.ts"
import { f16 } from "./f16-instances-lie.ts"
import { f17 } from "./f17-upgrade.ts"
import { f18 } from "./f18-two-on-one-file.ts"
import { f19 } from "./f19-nemesis.ts"
import type { Fault } from "./stage/result.ts"

/** All faults that the real program is put to, in their order. */
export const faults: readonly Fault[] = [
  f01,
  f02,
  f03,
  f04,
  f05,
  f06,
  f07,
  f08,
  f09,
  f10,
  f11,
  f12,
  f13,
  f14,
  f15,
  f16,
  f17,
  f18,
  f19,
]
