/**
 * The whole standalone path against the simulated engine, beside the engine asked directly by the same driver in the
 * same run: first-token time added, and CPU of the server's processes for each million tokens delivered. Every reply is
 * verified. Linux only: CPU time is read from /proc.
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
import { percentile } from './measure.ts'
import { numbersOf, runBenchmark } from './program.ts'
import type { Table } from './result.ts'

const tokens = 200
const tokensPerSecond = 50
const firstTokenMs = 50

const program = (...parts: string[]): string => path.join(repositoryRoot(), 'dist', ...parts)

interface Round {
  readonly firstTokenMs: readonly number[]
  readonly cpuSecondsPerMillionTokens: number
}

async function throughServer(clients: readonly ChatClient[], pid: number): Promise<Round> {
  const before = cpuSeconds(pid)
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
  return { firstTokenMs: first, cpuSecondsPerMillionTokens: ((cpuSeconds(pid) - before) / (clients.length * tokens)) * 1e6 }
}

/** The first chunk names the role, and has no text. */
const firstText = /"content":"[^"]/

async function directly(engineUrl: string, streams: number): Promise<readonly number[]> {
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

async function measure(database: string, streams: number, rounds: number): Promise<Table> {
  const dataFolder = mkdtempSync(path.join(os.tmpdir(), 'chatterbot-bench-'))
  const ends: (() => unknown)[] = [() => rmSync(dataFolder, { recursive: true, force: true })]
  try {
    const postgres = database === 'postgres' ? await startPostgres() : null
    ends.unshift(() => postgres?.stop())
    const engine = await startProcess(undefined, {
      command: process.execPath,
      args: [program('load-tests', 'simulated-vllm', 'main.js'), '--tokens-per-second', String(tokensPerSecond), '--first-token-ms', String(firstTokenMs), '--max-num-seqs', '4096', '--reply-tokens', String(tokens)],
      ready: jsonLineWith('ready'),
    })
    const engineUrl = `http://127.0.0.1:${String(engine.ready['port'])}`
    ends.unshift(() => engine.stop())
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
    ends.unshift(() => server.stop())

    const clients = Array.from({ length: streams }, (_, n) => createClient({ url: `ws://127.0.0.1:${String(server.ready['port'])}/ws`, userId: `user-${n}`, WebSocket }))
    await throughServer(clients, server.pid)
    const ours: Round[] = []
    const floor: (readonly number[])[] = []
    for (let round = 0; round < rounds; round += 1) {
      floor.push(await directly(engineUrl, streams))
      ours.push(await throughServer(clients, server.pid))
    }
    const memory = memoryMiB(server.pid)
    for (const client of clients) client.close()
    const added = (share: number): number[] => ours.map((each, n) => percentile(each.firstTokenMs, share) - percentile(floor[n] ?? [], share))
    return {
      title: `${database === 'postgres' ? 'On Postgres' : 'On the embedded database'}, ${streams} streams of ${tokensPerSecond} tokens a second begun in one instant`,
      contestants: [
        {
          name: 'ChatterBot',
          isOurs: true,
          figures: [
            { name: 'first token added over the engine asked directly, p50', unit: 'ms', samples: added(0.5) },
            { name: 'the same, p99', unit: 'ms', samples: added(0.99) },
            { name: postgres === null ? 'CPU of all server processes, a million tokens' : 'CPU of edge and bridge, a million tokens', unit: 's', samples: ours.map((each) => each.cpuSecondsPerMillionTokens) },
            { name: 'memory of the edge-and-bridge process', unit: 'MiB', samples: [memory] },
          ],
        },
      ],
    }
  } finally {
    for (const end of ends) await end()
  }
}

await runBenchmark({
  name: 'standalone',
  title: 'Everything in one process',
  question: 'What does the server of `npm start` add and cost?',
  options: {
    streams: { default: '100', help: 'at once; several, as 1,100, one after the other' },
    rounds: { default: 5, quick: 2, help: 'of a reply of every stream' },
    databases: { default: 'embedded,postgres', help: 'that it stores in' },
  },
  run: async ({ streams, rounds, databases }, say) => {
    const tables: Table[] = []
    for (const database of databases.split(',')) {
      for (const count of numbersOf(streams)) {
        say(`${database}, ${count} streams`)
        tables.push(await measure(database, count, rounds))
      }
    }
    return { tables }
  },
})
