/**
 * CPU seconds that a bridge takes for a million tokens, beside the least that reads an engine and passes its text on in
 * batches: the same engine, NATS and streams, in turn. Who receives stands in this process, and verifies every reply.
 */
import path from 'node:path'
import { connect } from '@nats-io/transport-node'
import { ScriptedOwner } from '../../inference-bridge/testing/scripted-owner.ts'
import { NatsBus } from '../../platform/bus/nats/nats-bus.ts'
import { createLogger } from '../../platform/logging/logger.ts'
import { startServer } from '../../tests/e2e/server-process.ts'
import { startNatsServer } from '../../tests/harness/nats-server.ts'
import { jsonLineWith, startProcess } from '../../tests/harness/processes.ts'
import { repositoryRoot } from '../../tests/harness/repository.ts'
import { endOfReply, jobsSubject, type BridgeSettings, type Job } from '../floors/smallest-messages.ts'
import { verifyTranscript } from '../simulated-vllm/reply.ts'
import { cpuSeconds } from './cpu-time.ts'
import { numbersOf, runBenchmark } from './program.ts'
import type { Table } from './result.ts'

const tokens = 150
const slots = '4096'
const program = (...parts: string[]): string => path.join(repositoryRoot(), 'dist', 'load-tests', ...parts)

/** Processes to be ended, the last one first. */
const ends: (() => unknown)[] = []
const context = { teardown: (end: () => unknown) => ends.push(end) }

interface Bridge {
  readonly pid: number
  /** Has as many replies written at once, and gives them with their questions. */
  readonly write: (questions: readonly string[]) => Promise<readonly string[]>
}

async function ours(natsUrl: string, engineUrl: string): Promise<Bridge> {
  const bus = new NatsBus({ urls: [natsUrl], name: 'owner', logger: createLogger({ level: 'warn', name: 'owner', fd: 2 }) })
  await bus.start()
  ends.push(() => bus.stop())
  const { pid } = await startServer(context, 'bridge', { NATS_URL: natsUrl, CHATTERBOT_ENGINE_URL: engineUrl, CHATTERBOT_ENGINE_CONCURRENCY: slots })
  const owner = new ScriptedOwner({ channel: bus.channel, queue: bus.jobQueue })
  ends.push(() => owner.close())
  return {
    pid,
    write: async (questions) => {
      const turns = await Promise.all(questions.map((question) => owner.send({ question })))
      for (const turn of turns) await owner.ended(turn)
      owner.turns.clear()
      if (owner.violations.length > 0) throw new Error(owner.violations[0])
      return turns.map(({ text }) => text)
    },
  }
}

async function smallest(natsUrl: string, engineUrl: string): Promise<Bridge> {
  const { pid } = await startProcess(context, {
    command: process.execPath,
    args: [program('floors', 'smallest-bridge-process.js'), JSON.stringify({ natsUrl, engineUrl } satisfies BridgeSettings)],
    ready: jsonLineWith('ready'),
  })
  const nats = await connect({ servers: natsUrl })
  ends.push(() => nats.close())
  const edge = 'owner'
  let texts: string[] = []
  let left = 0
  let ended = (): void => undefined
  nats.subscribe(edge, {
    callback: (_, message) => {
      for (const line of message.string().split('\n')) {
        const space = line.indexOf(' ')
        if (space === -1) continue
        const [reply, text] = [Number(line.slice(0, space)), line.slice(space + 1)]
        const isOver = text.endsWith(endOfReply)
        texts[reply] += isOver ? text.slice(0, -endOfReply.length) : text
        if (isOver) left -= 1
      }
      if (left === 0) ended()
    },
  })
  return {
    pid,
    write: async (questions) => {
      texts = questions.map(() => '')
      left = questions.length
      const over = new Promise<void>((resolve) => (ended = resolve))
      for (const [reply, message] of questions.entries()) nats.publish(jobsSubject, JSON.stringify({ edge, reply, message } satisfies Job))
      await over
      return texts
    },
  }
}

async function round({ pid, write }: Bridge, streams: number): Promise<number> {
  const questions = Array.from({ length: streams }, (_, n) => `question ${n} of ${performance.now()}`)
  const before = cpuSeconds(pid)
  const replies = await write(questions)
  const spent = cpuSeconds(pid) - before
  for (const [n, reply] of replies.entries()) {
    const verdict = verifyTranscript(reply, questions[n] ?? '', { tokens })
    if (!verdict.ok) throw new Error(`a reply is not what the engine said: ${JSON.stringify(verdict)}`)
  }
  return (spent / (streams * tokens)) * 1e6
}

await runBenchmark({
  name: 'bridge-stream',
  title: 'CPU of the bridge a token',
  question: 'How many CPU seconds do a million tokens cost the bridge, beside the least that reads an engine and passes its text on?',
  options: {
    streams: { default: '500,1000', quick: '200', help: 'at once, of 50 tokens a second; several, as 500,1000, one after the other' },
    rounds: { default: 5, quick: 2, help: 'of a reply of every stream' },
  },
  run: async ({ streams, rounds }, say) => {
    try {
      const nats = await startNatsServer(context)
      const engine = await startProcess(context, {
        command: process.execPath,
        args: [program('simulated-vllm', 'main.js'), '--tokens-per-second', '50', '--first-token-ms', '50', '--max-num-seqs', slots, '--reply-tokens', String(tokens)],
        ready: jsonLineWith('ready'),
      })
      const engineUrl = `http://127.0.0.1:${Number(engine.ready['port'])}`
      const contestants = [
        { name: 'ChatterBot', isOurs: true as const, bridge: await ours(nats.url, engineUrl) },
        { name: 'smallest bridge', bridge: await smallest(nats.url, engineUrl) },
      ]
      const tables: Table[] = []
      const figure = 'CPU a million tokens'
      for (const count of numbersOf(streams)) {
        say(`${count} streams`)
        const measured = contestants.map(({ bridge, ...contestant }) => ({ contestant, bridge, samples: [] as number[] }))
        for (const { bridge } of measured) await round(bridge, count)
        for (let n = 0; n < rounds; n += 1) for (const { bridge, samples } of measured) samples.push(await round(bridge, count))
        tables.push({ title: `${count} streams of 50 tokens a second`, compared: figure, contestants: measured.map(({ contestant, samples }) => ({ ...contestant, figures: [{ name: figure, unit: 's', samples }] })) })
      }
      return { tables }
    } finally {
      for (const end of ends.toReversed()) await end()
    }
  },
})
