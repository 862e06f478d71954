import t from 'tap'
import { clientFaults } from './faults/client-faults.ts'
import { engineFaults } from './faults/engine-faults.ts'
import { processFaults } from './faults/process-faults.ts'
import { queueFaults } from './faults/queue-faults.ts'
import { serviceFaults } from './faults/service-faults.ts'
import { KeptRun } from './kept-run.ts'
import { Report } from './report.ts'
import { runFaults } from './suite.ts'

/** To repeat a run: `npm run chaos -- --seed …`. */
const seed = 2026

t.setTimeout(500_000)

t.test('under every fault, nothing that was accepted or shown is lost, doubled or reordered, and nothing is left over', async (t) => {
  const report = new Report()
  const kept = new KeptRun(seed)
  const said: string[] = []
  const episodes = [processFaults, [...serviceFaults, ...queueFaults], [...engineFaults, ...clientFaults]]
  await runFaults({ seed, conversations: 8, nextFaults: () => episodes.shift() ?? null, say: (text) => said.push(text) }, report, kept)
  t.comment(report.table())
  t.equal(report.findings, 0, `seed ${seed}`, { said, folder: kept.folder })
  if (report.findings === 0) kept.remove()
})
