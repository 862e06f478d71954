/** docs/benchmarks.json: the results that the pages are made of. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { repositoryPath } from '../../../protocol/docs/repository.ts'
import type { Result } from '../result.ts'
import { benchmarks } from './benchmarks.ts'

const file = 'docs/benchmarks.json'

export interface BenchRecord {
  /** In the order of `benchmarks`. */
  readonly results: readonly Result[]
  /** What failed when it was last tried, and why. */
  readonly failed: readonly { readonly name: string; readonly why: string }[]
}

export function readRecord(): BenchRecord {
  const where = repositoryPath(file)
  return existsSync(where) ? (JSON.parse(readFileSync(where, 'utf8')) as BenchRecord) : { results: [], failed: [] }
}

/** In place of an earlier one of the same benchmark, which is what stays where the new one failed. */
export function withOutcome(record: BenchRecord, name: string, outcome: Result | Error): BenchRecord {
  const failed = record.failed.filter((each) => each.name !== name)
  if (outcome instanceof Error) return { ...record, failed: [...failed, { name, why: outcome.message }] }
  const results = [...record.results.filter((each) => each.name !== name), outcome]
  return { results: benchmarks.flatMap((each) => results.filter((result) => result.name === each)), failed }
}

export function writeRecord(record: BenchRecord): void {
  // Five digits are more than any of them is worth; an array of samples stands on a line.
  const text = JSON.stringify(record, (_, value: unknown) => (typeof value === 'number' && !Number.isInteger(value) ? Number(value.toPrecision(5)) : value), 1)
  writeFileSync(repositoryPath(file), `${text.replaceAll(/\[\s+(-?[\d.][-\d.e,\s]*?)\s+\]/g, (_, samples: string) => `[${samples.split(/,\s*/).join(', ')}]`)}\n`)
}
