import { readFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import { temporaryFolder } from '../harness/guard.ts'
import { runProgram, type Exit } from '../harness/processes.ts'
import { findK6 } from '../harness/programs.ts'
import { clusterFolder, startCluster, type ClusterProcess } from './cluster-process.ts'

t.setTimeout(300_000)

const program = fileURLToPath(new URL('../../load-tests/load/main.js', import.meta.url))
/** What k6 ends with where a threshold was crossed. */
const crossed = 99

interface Metric {
  readonly count?: number
  readonly passes?: number
}

interface Outcome extends Exit {
  readonly output: string
  readonly metrics: Readonly<Record<string, Metric>>
}

/** `npm run load`, the smoke scenario, as people run it. */
async function load(t: Test, cluster: ClusterProcess, ...args: readonly string[]): Promise<Outcome> {
  const folder = temporaryFolder('load')
  t.teardown(folder.remove)
  const exit = await runProgram({ command: process.execPath, args: [program, '--url', `http://127.0.0.1:${cluster.ready.port}`, '--verify', '--think', '0', '--report', folder.path, ...args] })
  const { metrics } = JSON.parse(readFileSync(path.join(folder.path, 'summary.json'), 'utf8')) as Outcome
  return { ...exit, metrics }
}

const missing = await findK6().then(() => null, (error: unknown) => String(error))

t.test('the load scripts', { skip: missing ?? false }, async (t) => {
  const cluster = await startCluster(t, ['--data-dir', clusterFolder(t)])

  await t.test('the smoke scenario verifies every reply, over every API', async (t) => {
    const { code, output, metrics } = await load(t, cluster, '--people', '10', '--hold', '4s', '--turns', '2', '--tokens', '40')
    t.equal(code, 0, output)
    for (const name of ['replies_lost', 'replies_doubled', 'replies_reordered', 'turns_failed']) t.equal(metrics[name]?.count ?? 0, 0, name)
    for (const api of ['websocketChat', 'restChat', 'streamChat', 'openaiChat']) t.ok((metrics[`iterations{scenario:${api}}`]?.count ?? 0) > 0, api)
    const replies = metrics['replies_intact']?.passes ?? 0
    t.ok(replies >= 10, `${replies} replies`)
    t.equal(metrics['tokens']?.count, replies * 40)
  })

  await t.test('a reply that is not what was to be said fails the run', async (t) => {
    // More than a reply may have here: each of them ends early.
    const { code, output, metrics } = await load(t, cluster, '--people', '4', '--hold', '1s', '--turns', '1', '--tokens', '2000')
    t.equal(code, crossed, output)
    t.ok((metrics['replies_lost']?.count ?? 0) > 0)
  })
})
