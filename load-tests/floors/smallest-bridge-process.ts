/**
 * The bridge of smallest-pipeline.ts: jobs from NATS to the engine by undici, one scan a chunk, and what has come of all
 * replies to NATS every few milliseconds, a message an edge. Its argument is a BridgeSettings, as JSON.
 */
import { connect } from '@nats-io/transport-node'
import { Agent } from 'undici'
import { batchMs, endOfReply, jobsSubject, type BridgeSettings, type Job } from './smallest-messages.ts'
import { TokenScan } from './token-scan.ts'

const settings = JSON.parse(process.argv[2] ?? '{}') as BridgeSettings
const nats = await connect({ servers: settings.natsUrl })
const engine = new Agent({ connections: null, pipelining: 1, bodyTimeout: 0, headersTimeout: 0 })

/** Text by reply, an edge each, since the last batch. */
const waiting = new Map<string, Map<number, string>>()
let timer: NodeJS.Timeout | undefined

function flush(): void {
  timer = undefined
  for (const [edge, replies] of waiting) {
    let batch = ''
    for (const [reply, text] of replies) batch += `${reply} ${text}\n`
    nats.publish(edge, Buffer.from(batch, 'latin1'))
  }
  waiting.clear()
}

function pass({ edge, reply }: Job, text: string): void {
  let replies = waiting.get(edge)
  if (replies === undefined) waiting.set(edge, (replies = new Map<number, string>()))
  replies.set(reply, (replies.get(reply) ?? '') + text)
  timer ??= setTimeout(flush, batchMs)
}

function ask(job: Job): void {
  const scan = new TokenScan()
  engine.dispatch(
    {
      origin: settings.engineUrl,
      path: '/v1/chat/completions',
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ model: 'simulated', stream: true, messages: [{ role: 'user', content: job.message }] }),
    },
    {
      onRequestStart: () => undefined,
      onResponseStart: (_, status) => {
        if (status !== 200) throw new Error(`the engine answers ${status}`)
      },
      onResponseData: (_, piece) => {
        const text = scan.read(piece.toString('latin1'))
        if (text !== '') pass(job, text)
      },
      onResponseEnd: () => pass(job, endOfReply),
      onResponseError: () => pass(job, endOfReply),
    },
  )
}

nats.subscribe(jobsSubject, { queue: 'bridges', callback: (_, message) => ask(message.json<Job>()) })
await nats.flush()
process.stdout.write(`${JSON.stringify({ ready: true })}\n`)
