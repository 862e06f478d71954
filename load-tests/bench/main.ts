/** `npm run bench`: all benchmarks, one after the other, and the pages that say what they found. */
import { busyShare } from './circumstances.ts'
import { resultLines } from './markdown.ts'
import { isForTheRecord, readArguments, usage, type Arguments } from './suite/arguments.ts'
import { mostBusy, writePages } from './suite/pages.ts'
import { readRecord, withOutcome, writeRecord } from './suite/record.ts'
import { runOne } from './suite/run-one.ts'

const usageFault = 64
const patienceS = 15

try {
  const asked = readArguments(process.argv.slice(2))
  if (asked === 'help') process.stdout.write(`${usage}\n`)
  else if (process.platform !== 'linux') throw new Error('Benchmarks read CPU time and memory of processes from /proc, which only Linux has.')
  else process.exitCode = await bench(asked)
} catch (error) {
  const isUsage = error instanceof RangeError || error instanceof TypeError
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n${isUsage ? `\n${usage}\n` : ''}`)
  process.exitCode = isUsage ? usageFault : 1
}

/** The exit code: 1 where one failed. */
async function bench(asked: Arguments): Promise<number> {
  await requireQuiet(asked.anyway)
  const isKept = isForTheRecord(asked)
  const args = [...(asked.quick ? ['--quick'] : []), ...(asked.rounds === null ? [] : ['--rounds', String(asked.rounds)])]
  let record = readRecord()
  const tookBefore = new Map(record.results.map(({ name, circumstances }) => [name, circumstances.tookS]))
  const known = asked.names.flatMap((name) => tookBefore.get(name) ?? [])
  if (!asked.quick && known.length > 0) say(`${asked.names.length} benchmarks; ${known.length} of them took ${minutes(known.reduce((sum, each) => sum + each, 0))} the last time.`)
  let failed = 0
  for (const [index, name] of asked.names.entries()) {
    if (index > 0) await settled()
    const before = tookBefore.get(name)
    say(`[${index + 1}/${asked.names.length}] ${name}${asked.quick || before === undefined ? '' : `, about ${before} s`}`)
    const outcome = await runOne(name, args, (line) => say(`    ${line}`)).catch((error: unknown) => (error instanceof Error ? error : new Error(String(error))))
    if (outcome instanceof Error) {
      failed += 1
      say(`    failed: ${outcome.message}`)
    } else {
      process.stdout.write(`${resultLines(outcome, '###').join('\n')}\n`)
    }
    if (!isKept) continue
    // Each time, so that a run that is broken off keeps what it has.
    record = withOutcome(record, name, outcome)
    writeRecord(record)
    writePages(readRecord())
  }
  say(`${asked.names.length - failed} of ${asked.names.length} benchmarks went through${isKept ? '; docs/benchmarks.md is written' : ''}.`)
  return failed === 0 ? 0 : 1
}

async function requireQuiet(anyway: boolean): Promise<void> {
  const busy = await settled()
  if (busy <= mostBusy) return
  const what = `${Math.round(busy * 100)}% of the cores are at other work: figures would be worth little.`
  if (!anyway) throw new Error(`${what} Wait until they are not, or say --anyway.`)
  say(what)
}

/** What ended just now may be at its last work still. The share of the cores that is busy then. */
async function settled(): Promise<number> {
  for (let second = 1; ; second += 1) {
    const busy = await busyShare()
    if (busy <= mostBusy || second === patienceS) return busy
  }
}

function say(line: string): void {
  process.stderr.write(`${line}\n`)
}

function minutes(seconds: number): string {
  return `${Math.ceil(seconds / 60)} min`
}
