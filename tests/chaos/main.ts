/** `npm run chaos`: see arguments.ts. Ends with code 1 where anything was found. */
import { readArguments, usage, type Arguments } from './arguments.ts'
import { allFaults } from './faults/all.ts'
import { together, type Fault } from './faults/fault.ts'
import { KeptRun } from './kept-run.ts'
import type { Random } from './random.ts'
import { Report } from './report.ts'
import { runFaults, runPoints } from './suite.ts'

const pointFaults = { 'edge-points': 'edge', 'bridge-points': 'bridge' } as const
const names = [...allFaults.map(({ name }) => name), ...Object.keys(pointFaults)]

try {
  const args = readArguments(process.argv.slice(2), names, Math.floor(Math.random() * 2 ** 31))
  if (args === 'help') process.stdout.write(`${usage}\n\nFaults: ${names.join(', ')}\n`)
  else await run(args)
} catch (error) {
  if (!(error instanceof RangeError)) throw error
  process.stderr.write(`${error.message}\n\n${usage}\n`)
  process.exitCode = 64
}

async function run({ seed, durationMs, faults: wanted, conversations }: Arguments): Promise<void> {
  const say = (text: string): void => void process.stdout.write(`${new Date().toISOString().slice(11, 19)}  ${text}\n`)
  const chosen = (name: string): boolean => wanted.length === 0 || wanted.includes(name)
  const faults = allFaults.filter(({ name }) => chosen(name))
  const report = new Report()
  const kept = new KeptRun(seed)
  say(`seed ${seed}; logs in ${kept.folder}`)

  const until = Date.now() + durationMs
  const missed: string[] = []
  for (const [name, role] of Object.entries(pointFaults)) {
    if (chosen(name)) missed.push(...(await runPoints(role, { seed, conversations, say }, report, kept)))
  }
  if (faults.length > 0) await runFaults({ seed, conversations, nextFaults: round(faults, until), waitsForMemory: true, say }, report, kept)

  process.stdout.write(`\n${report.table()}\n`)
  if (missed.length > 0) process.stdout.write(`Points that were not reached: ${missed.join(', ')}\n`)
  if (report.findings === 0 && missed.length === 0) return
  process.stdout.write(`\n${report.findings} findings. To repeat them: npm run chaos -- --seed ${seed} --conversations ${conversations} --duration ${Math.round(durationMs / 1000)}s${wanted.length > 0 ? ` --faults ${wanted.join(',')}` : ''}\nTranscripts and logs: ${kept.folder}\n`)
  process.exitCode = 1
}

/** Every fault once, in an order that is drawn; then in pairs, at the same time; and again until the time is up. */
function round(faults: readonly Fault[], until: number): (random: Random) => readonly Fault[] | null {
  let waiting: Fault[] = []
  let rounds = 0
  return (random) => {
    if (rounds > 0 && Date.now() >= until) return null
    if (waiting.length === 0) {
      const shuffled = random.shuffled(faults)
      rounds += 1
      waiting = rounds % 2 === 1 || faults.length === 1 ? shuffled : shuffled.flatMap((fault, at) => (at % 2 === 1 ? [together(shuffled[at - 1] as Fault, fault)] : []))
    }
    return waiting.splice(0, 1)
  }
}
