/** Writes docs/benchmarks.md, its plots and the README's table anew, of what was measured last. */
import { writePages } from './suite/pages.ts'
import { readRecord } from './suite/record.ts'

writePages(readRecord())
