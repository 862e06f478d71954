import { setTimeout as delay } from 'node:timers/promises'
import t from 'tap'
import { verifyTranscript } from '../../load-tests/simulated-vllm/reply.ts'
import { startSimulatedVllm } from '../../load-tests/simulated-vllm/server.ts'
import { startNatsServer } from '../harness/nats-server.ts'
import { startPostgres } from '../harness/postgres.ts'
import { startServer } from './server-process.ts'
import { connectClient } from './standalone-process.ts'

const conversations = 25
const slots = 5
const tokens = 40

t.setTimeout(120_000)

t.test('NATS is killed and comes back without a job while 50 turns run, are queued and wait: each ends once, with all of its text', async (t) => {
  const [nats, postgres, engine] = await Promise.all([startNatsServer(t), startPostgres(t), startSimulatedVllm({ tokensPerSecond: 80 })])
  t.teardown(() => engine.close())
  const services = { NATS_URL: nats.url, DATABASE_URL: postgres.url() }
  const [edge] = await Promise.all([startServer(t, 'edge', services), startServer(t, 'bridge', { ...services, CHATTERBOT_ENGINE_URL: engine.url, CHATTERBOT_ENGINE_CONCURRENCY: String(slots) })])
  const url = `ws://127.0.0.1:${edge.ready.port}/ws`
  const talks = await Promise.all(
    Array.from({ length: conversations }, async (_, n) => {
      const conversation = await connectClient(t, url).createConversation()
      const questions = [0, 1].map((turn) => `Question ${turn} of ${n}? [[tokens=${tokens}]]`)
      return { conversation, questions, replies: questions.map((question) => conversation.send(question).finished) }
    }),
  )
  // So that some run, and the others are queued or wait for the reply before theirs.
  while (talks.every(({ conversation }) => conversation.snapshot().turns.every(({ text }) => text === ''))) await delay(5)

  await nats.kill()
  nats.loseData()
  const killedAt = performance.now()
  await nats.start()

  for (const { conversation, questions, replies } of talks) {
    for (const [turn, question] of questions.entries()) {
      const { text } = (await replies[turn]) ?? { text: '' }
      t.match(verifyTranscript(text, question, { tokens }), { ok: true }, question)
    }
    const { messages } = conversation.snapshot()
    t.same(messages.map(({ role }) => role), ['user', 'assistant', 'user', 'assistant'], 'a reply to each, and no other')
  }
  const generatingMs = (conversations * 2 * tokens * 1000) / (slots * 80)
  t.comment(`all were over ${Math.round(performance.now() - killedAt)} ms after the kill; to generate them takes ${generatingMs} ms`)
})
