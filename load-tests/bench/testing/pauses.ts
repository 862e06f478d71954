/**
 * Preloaded (`--import`) into a process whose collections of garbage are to be known: at its exit it writes how long each
 * held it up into `<process id>.pauses.json`, in the folder that this module's address names as `?folder=`.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { constants, performance, PerformanceObserver, type PerformanceEntry } from 'node:perf_hooks'
import type { Pause } from './read-pauses.ts'

const folder = new URL(import.meta.url).searchParams.get('folder')
if (folder === null) throw new Error('the folder for pauses is not named')
mkdirSync(folder, { recursive: true })

const pauses: Pause[] = []
const take = (entries: readonly PerformanceEntry[]): void => {
  for (const entry of entries) {
    const { kind } = (entry as PerformanceEntry & { readonly detail: { readonly kind: number } }).detail
    pauses.push({ at: performance.timeOrigin + entry.startTime, ms: entry.duration, isYoung: kind === constants.NODE_PERFORMANCE_GC_MINOR })
  }
}
const observer = new PerformanceObserver((list) => take(list.getEntries()))
observer.observe({ entryTypes: ['gc'] })
process.on('exit', () => {
  take(observer.takeRecords())
  writeFileSync(path.join(folder, `${process.pid}.pauses.json`), JSON.stringify(pauses))
})
