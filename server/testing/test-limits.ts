/** Limits of a test's edge: as wide as a test needs, and narrow where it says so. */
import { MemoryLimits } from '../../platform/limits/memory/memory-limits.ts'
import type { Plans } from '../../platform/limits/plan.ts'
import { testPlans } from '../../platform/limits/testing/plans.ts'
import { PlanWindows } from '../../actors/limits/plan-windows.ts'
import { Admission } from '../limits/admission.ts'
import type { EdgeLimits } from '../limits/configured-limits.ts'

export function testLimits({ plans = testPlans(), addressPoints = 1_000_000, refused = () => undefined }: { readonly plans?: Plans; readonly addressPoints?: number; readonly refused?: (limit: string) => void } = {}): EdgeLimits {
  const monotonic = (): number => performance.now()
  const limits = new MemoryLimits({ monotonic })
  const metrics = { refused, unshared: () => undefined }
  const addresses = limits.limit({ name: 'addresses', points: addressPoints, perSeconds: 60 })
  return { plans, metrics, admission: new Admission({ plans, windows: new PlanWindows(limits), addresses, addressPoints, metrics, monotonic }) }
}
