/** Reads all the evidence of a run, and finds what breaks a promise. Pure. */
import { checkEngine } from './engine-rules.ts'
import type { Evidence, Finding } from './evidence.ts'
import { checkFrames } from './frame-rules.ts'
import { checkLeftovers } from './leftover-rules.ts'
import { checkShown } from './shown-rules.ts'
import { checkStored } from './stored-rules.ts'

export function check(evidence: Evidence): Finding[] {
  return [...checkStored(evidence), ...checkShown(evidence), ...checkFrames(evidence), ...checkEngine(evidence), ...checkLeftovers(evidence)]
}
