import path from 'node:path'
import t from 'tap'
import { startSimulatedVllm } from '../../load-tests/simulated-vllm/server.ts'
import { runProgram } from '../harness/processes.ts'
import { repositoryRoot } from '../harness/repository.ts'
import { dataFolder, startStandalone } from './standalone-process.ts'

/** The report of `npm run streams`, and its exit code. */
async function streams(args: readonly string[]): Promise<{ code: number | null; report: Record<string, unknown> }> {
  const { code, output } = await runProgram({ command: process.execPath, args: [path.join(repositoryRoot(), 'dist', 'load-tests', 'stream-client', 'main.js'), ...args] })
  return { code, report: JSON.parse(output.slice(output.indexOf('{'))) as Record<string, unknown> }
}

t.test('many connections to a server, of which some stream, are told of in numbers', async (t) => {
  const engine = await startSimulatedVllm({ tokensPerSecond: 500 })
  t.teardown(() => engine.close())
  const standalone = await startStandalone(t, { CHATTERBOT_ENGINE_URL: engine.url, CHATTERBOT_DATA_DIR: dataFolder(t) })
  const asked = ['--sockets', '20', '--streams', '8', '--turns', '2', '--within', '0s', '--tokens', '30', '--verify']
  const expected = { sockets: 20, streams: 8, turns: 16, tokens: 480, lost: 0, doubled: 0, reordered: 0, failed: 0, first_text: { p50: Number, p99: Number } }

  const ours = await streams(['--url', standalone.ready.url, '--pid', `server=${standalone.pid}`, ...asked])
  t.match(ours, { code: 0, report: { ...expected, dialect: 'chatterbot', processes: { server: { cpu_s_per_million_tokens: Number, memory_mib: { before: Number, open: Number, after: Number } } } } })
  const directly = await streams(['--url', engine.url, '--dialect', 'openai', ...asked])
  t.match(directly, { code: 0, report: { ...expected, dialect: 'openai' } })
})

t.test('a reply that breaks off is told of, and so is one that lacks its end; the others are heard', async (t) => {
  const engine = await startSimulatedVllm()
  t.teardown(() => engine.close())
  const asked = ['--url', engine.url, '--dialect', 'openai', '--sockets', '3', '--within', '0s', '--tokens', '30', '--verify']
  engine.faults.set([{ kind: 'cut', atToken: 5, requests: 1 }])
  t.match(await streams(asked), { code: 1, report: { turns: 2, tokens: 60, failed: 1, failures: ['the connection was closed'] } })
  engine.faults.set([{ kind: 'done_without_finish', atToken: 5, requests: 1 }])
  t.match(await streams(asked), { code: 1, report: { turns: 3, tokens: 60, failed: 0, lost: 1 } })
})
