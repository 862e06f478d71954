/** Edges and bridges as processes, over a Redis that is wrong, there, and gone. */
import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import t from 'tap'
import { WebSocket } from 'undici'
import { expectedText } from '../../load-tests/simulated-vllm/reply.ts'
import { startSimulatedVllm } from '../../load-tests/simulated-vllm/server.ts'
import { startNatsServer } from '../harness/nats-server.ts'
import { startPostgres } from '../harness/postgres.ts'
import { startRedisServer } from '../harness/redis-server.ts'
import { runServer, startServer } from './server-process.ts'
import { connectClient } from './standalone-process.ts'

t.setTimeout(120_000)

t.test('processes share results and limits through Redis, and people notice nothing when it dies', async (t) => {
  const [nats, postgres, redis, engine] = await Promise.all([startNatsServer(t), startPostgres(t), startRedisServer(t, ['--requirepass', 'right']), startSimulatedVllm()])
  t.teardown(() => engine.close())
  const services = { NATS_URL: nats.url, DATABASE_URL: postgres.url(), REDIS_URL: redis.url.replace('//', '//:right@'), CHATTERBOT_ENGINE_URL: engine.url, CHATTERBOT_TURNS_PER_MINUTE: '8' }

  const stranger = await runServer('edge', { ...services, REDIS_URL: redis.url.replace('//', '//:wrong@') })
  t.equal(stranger.code, 78)
  t.match(stranger.output, /Redis refuses the credentials.*What to do: .*REDIS_URL/s)
  t.notMatch(stranger.output, /:wrong@| at .*\.js/, 'neither password nor stack')

  const [one, two] = await Promise.all([startServer(t, 'edge', services), startServer(t, 'edge', { ...services, CHATTERBOT_NODE_ID: 'edge-2' }), startServer(t, 'bridge', services)])
  const socket = (port: number | undefined): string => `ws://127.0.0.1:${port}/ws`
  const [here, there] = [connectClient(t, socket(one.ready.port), { userId: 'ann' }), connectClient(t, socket(two.ready.port), { userId: 'ann' })]
  const question = 'The same? [[tokens=30]]'
  const ask = async (client: typeof here) => (await client.createConversation()).send(question, { params: { temperature: 0 } }).finished

  const replies = [await ask(here), await ask(there)]
  t.same(replies.map(({ text }) => text), [expectedText(question, 30), expectedText(question, 30)])
  t.equal(engine.requests.length, 1, 'the second is known')
  t.same(replies.map(({ details }) => details?.cached), [false, true])

  await redis.kill()
  for (const client of [here, there]) t.equal((await ask(client)).text, expectedText(question, 30))
  t.equal(engine.requests.length, 3, 'nothing is known any more')
  for (const { status_port: port } of [one.ready, two.ready]) t.match(await metricsOf(port), /^chatterbot_limits_unshared_total\{.*\} [1-9]/m, 'each edge kept its own limits')

  await redis.start()
  for (const { status_port: port } of [one.ready, two.ready]) await untilRedisIsUsed(port)
  for (let n = 0; n < 4; n += 1) for (const client of [here, there]) await ask(client)
  for (const { ready } of [one, two]) t.match(await refusal(socket(ready.port), (await here.createConversation()).id), { code: 'rate_limited', retryable: true, retry_after_ms: Number })
  for (const { status_port: port } of [one.ready, two.ready]) t.match(await metricsOf(port), /^chatterbot_limits_refused_total\{.*limit="turns_per_minute".*\} 1$/m)
})

async function metricsOf(port: number): Promise<string> {
  return (await fetch(`http://127.0.0.1:${port}/metrics`)).text()
}

async function untilRedisIsUsed(port: number): Promise<void> {
  while (!/^chatterbot_redis_available\{.*\} 1$/m.test(await metricsOf(port))) await delay(20)
}

/** What a send is answered with, which the SDK would not show but try again later. */
async function refusal(url: string, conversationId: number): Promise<unknown> {
  const socket = new WebSocket(url, 'chatterbot.v1.json')
  const answer = new Promise<unknown>((resolve) => {
    socket.addEventListener('message', ({ data }) => {
      const message = JSON.parse(String(data)) as { readonly ref?: number }
      if (message.ref === 2) resolve(message)
    })
  })
  await once(socket, 'open')
  socket.send(JSON.stringify({ type: 'hello', ref: 1, user_id: 'ann' }))
  socket.send(JSON.stringify({ type: 'message.send', ref: 2, conversation_id: conversationId, client_message_id: 'one too many', text: 'And this?' }))
  const told = await answer
  socket.close()
  return told
}
