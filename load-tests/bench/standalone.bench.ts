/**
 * The whole standalone path against the simulated engine, beside the engine asked directly by the same driver in the
 * same run: first-token time added, and CPU of the server's processes for each million tokens delivered. Every reply is
 * verified. Linux only: CPU time is read from /proc.
 *
 *     npm run build && node dist/load-tests/bench/standalone.bench.js [streams] [rounds] [embedded | postgres]
 */
import { mkdtempSync, rmSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { WebSocket } from 'undici'
import { createClient, type ChatClient } from '../../client/client.ts'
import { startPostgres } from '../../tests/harness/postgres.ts'
import { jsonLineWith, startProcess } from '../../tests/harness/processes.ts'
import { repositoryRoot } from '../../tests/harness/repository.ts'
import { verifyTranscript } from '../simulated-vllm/reply.ts'
import { cpuSeconds, memoryMiB } from './cpu-time.ts'
import { percentile, spread } from './measure.ts'

const streams = Number(process.argv[2] ?? 100)
const rounds = Number(process.argv[3] ?? 5)
const database = process.argv[4] ?? 'embedded'
const tokens = 200
const tokensPerSecond = 50
const firstTokenMs = 50

const program = (...parts: string[]): string => path.join(repositoryRoot(), 'dist', ...parts)
const dataFolder = mkdtempSync(path.join(os.tmpdir(), 'chatterbot-bench-'))

const postgres = database === 'postgres' ? await startPostgres() : null

const engine = await startProcess(undefined, {
  command: process.execPath,
  args: [program('load-tests', 'simulated-vllm', 'main.js'), '--tokens-per-second', String(tokensPerSecond), '--first-token-ms', String(firstTokenMs), '--max-num-seqs', '4096', '--reply-tokens', String(tokens)],
  ready: jsonLineWith('ready'),
})
const engineUrl = `http://127.0.0.1:${String(engine.ready['port'])}`
const server = await startProcess(undefined, {
  command: process.execPath,
  args: [program('standalone', 'main.js')],
  env: {
    PORT: '0',
    LOG_LEVEL: 'warn',
    CHATTERBOT_DATA_DIR: dataFolder,
    ...(postgres === null ? {} : { DATABASE_URL: await postgres.createDatabase('bench') }),
    CHATTERBOT_ENGINE_URL: engineUrl,
    CHATTERBOT_ENGINE_CONCURRENCY: '4096',
    CHATTERBOT_SOCKETS_PER_ADDRESS: '100000',
    CHATTERBOT_TURNS_PER_MINUTE: '1000000',
    CHATTERBOT_CONCURRENT_TURNS: '1000000',
    CHATTERBOT_REQUESTS_PER_MINUTE: '10000000',
    CHATTERBOT_REQUESTS_PER_ADDRESS: '10000000',
  },
  ready: jsonLineWith('ready'),
})

interface Round {
  readonly firstTokenMs: readonly number[]
  readonly cpuSecondsPerMillionTokens: number
}

async function throughServer(clients: readonly ChatClient[]): Promise<Round> {
  const before = cpuSeconds(server.pid)
  const first = await Promise.all(
    clients.map(async (client, n) => {
      const conversation = await client.createConversation()
      const question = `question ${n} of ${Date.now()}`
      const began = performance.now()
      let firstMs: number | undefined
      let text = ''
      for await (const delta of conversation.send(question)) {
        firstMs ??= performance.now() - began
        text += delta
      }
      const verdict = verifyTranscript(text, question, { tokens })
      if (!verdict.ok) throw new Error(`a reply is not what the engine said: ${JSON.stringify(verdict)}`)
      conversation.close()
      return firstMs ?? Number.NaN
    }),
  )
  return { firstTokenMs: first, cpuSecondsPerMillionTokens: ((cpuSeconds(server.pid) - before) / (clients.length * tokens)) * 1e6 }
}

/** The first chunk names the role, and has no text. */
const firstText = /"content":"[^"]/

async function directly(): Promise<readonly number[]> {
  return Promise.all(
    Array.from({ length: streams }, async (_, n) => {
      const began = performance.now()
      let firstMs: number | undefined
      const response = await fetch(`${engineUrl}/v1/chat/completions`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ model: 'simulated', stream: true, max_tokens: tokens * 2, messages: [{ role: 'user', content: `question ${n}` }] }),
      })
      for await (const chunk of response.body as AsyncIterable<Uint8Array>) {
        if (firstMs === undefined && firstText.test(Buffer.from(chunk).toString())) firstMs = performance.now() - began
      }
      return firstMs ?? performance.now() - began
    }),
  )
}

try {
  const clients = Array.from({ length: streams }, (_, n) => createClient({ url: `ws://127.0.0.1:${String(server.ready['port'])}/ws`, userId: `user-${n}`, WebSocket }))
  await throughServer(clients)
  const ours: Round[] = []
  const floor: (readonly number[])[] = []
  for (let round = 0; round < rounds; round += 1) {
    floor.push(await directly())
    ours.push(await throughServer(clients))
  }
  const added = (share: number) => spread(ours.map((each, n) => percentile(each.firstTokenMs, share) - percentile(floor[n] ?? [], share)))
  const cpu = spread(ours.map((each) => each.cpuSecondsPerMillionTokens))
  const row = (name: string, { median, min, max }: ReturnType<typeof spread>, unit: string): string => `| ${name} | ${median.toFixed(1)} ${unit} | ${min.toFixed(1)} to ${max.toFixed(1)} |`
  process.stdout.write(
    [
      `### The standalone path, ${database} database, ${streams} streams at ${tokensPerSecond} tokens a second, ${rounds} rounds`,
      '',
      '| figure | median | range |',
      '|---|---|---|',
      row('first token added over the engine asked directly, p50', added(0.5), 'ms'),
      row('the same, p99', added(0.99), 'ms'),
      row(postgres === null ? 'CPU of all server processes, a million tokens' : 'CPU of edge and bridge, a million tokens', cpu, 's'),
      `| memory of the edge-and-bridge process | ${memoryMiB(server.pid).toFixed(0)} MiB | |`,
      '',
      '',
    ].join('\n'),
  )
  for (const client of clients) client.close()
} finally {
  await server.stop()
  await engine.stop()
  await postgres?.stop()
  rmSync(dataFolder, { recursive: true, force: true })
}
