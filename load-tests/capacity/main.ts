/** `npm run capacity`: how many edges, bridges, GPUs and servers a load needs, and what a chat costs. */
import { readRecord } from '../bench/suite/record.ts'
import { readArguments, usage } from './arguments.ts'
import { figuresOf } from './figures.ts'
import { planFor } from './plan.ts'
import { report } from './report.ts'
import { simulate } from './simulation.ts'

const warmUpS = 300
const measuredS = 60

try {
  const asked = readArguments(process.argv.slice(2))
  if (asked === 'help') {
    process.stdout.write(`${usage}\n`)
  } else {
    const { workload, gpu, aim, prices } = asked
    const plan = planFor(workload, gpu, aim, prices, figuresOf(readRecord()))
    const simulated = asked.simulates ? simulate(workload, gpu, { replicas: plan.queue.replicas, seed: 1, warmUpS, measuredS }) : null
    process.stdout.write(asked.json ? `${JSON.stringify({ workload, gpu, aim, prices, plan, ...(simulated === null ? {} : { simulated }) })}\n` : report(workload, plan, simulated))
  }
} catch (error) {
  if (!(error instanceof RangeError || error instanceof TypeError)) throw error
  process.stderr.write(`${error.message}\n\n${usage}\n`)
  process.exitCode = 64
}
