import t from 'tap'
import { KeptRun } from './kept-run.ts'
import { Report } from './report.ts'
import { runPoints } from './suite.ts'

const seed = 2026

t.setTimeout(400_000)

for (const role of ['edge', 'bridge'] as const) {
  t.test(`${role}s that die before and after each commit, publish, grant, confirm and ack lose, double and reorder nothing`, async (t) => {
    const report = new Report()
    const kept = new KeptRun(seed)
    const said: string[] = []
    const missed = await runPoints(role, { seed, conversations: 8, say: (text) => said.push(text) }, report, kept)
    t.comment(report.table())
    t.same(missed, [], 'every point was visited')
    t.equal(report.findings, 0, `seed ${seed}`, { said, folder: kept.folder })
    if (report.findings === 0) kept.remove()
  })
}
