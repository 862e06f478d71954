import { readFileSync } from 'node:fs'
import path from 'node:path'

/** One collection of garbage, or one step of it: for so long the process did nothing else. */
export interface Pause {
  /** When it began, in milliseconds since the epoch. */
  readonly at: number
  readonly ms: number
  /** Of what was made since the one before, and not of all. */
  readonly isYoung: boolean
}

/** Of a process that `pauses.ts` was preloaded into and that has ended, as its folder has them. */
export function readPauses(folder: string, pid: number): readonly Pause[] {
  return JSON.parse(readFileSync(path.join(folder, `${pid}.pauses.json`), 'utf8')) as readonly Pause[]
}
