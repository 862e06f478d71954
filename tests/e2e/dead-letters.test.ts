import { fileURLToPath } from 'node:url'
import t from 'tap'
import { verifyTranscript } from '../../load-tests/simulated-vllm/reply.ts'
import { startSimulatedVllm } from '../../load-tests/simulated-vllm/server.ts'
import { startNatsServer } from '../harness/nats-server.ts'
import { startPostgres } from '../harness/postgres.ts'
import { runProgram } from '../harness/processes.ts'
import { startServer } from './server-process.ts'
import { connectClient } from './standalone-process.ts'

t.setTimeout(120_000)

const program = fileURLToPath(new URL('../../operator/dead-letters/main.js', import.meta.url))
const operator = (env: Readonly<Record<string, string>>, ...args: string[]) => runProgram({ command: process.execPath, args: [program, ...args], env })

t.test('an operator finds the turn that nobody answered in time, has it tried again, and its user gets the reply', async (t) => {
  const [nats, postgres, engine] = await Promise.all([startNatsServer(t), startPostgres(t), startSimulatedVllm()])
  t.teardown(() => engine.close())
  const services = { NATS_URL: nats.url, DATABASE_URL: postgres.url() }
  const run = (...args: string[]) => operator({ NATS_URL: nats.url }, ...args)
  t.match(await run('list'), { code: 0, output: 'There are no dead letters.\n' }, 'also before any edge has ever run')

  const edge = await startServer(t, 'edge', { ...services, CHATTERBOT_TURN_DEADLINE_SECONDS: '5' })
  const client = connectClient(t, `ws://127.0.0.1:${edge.ready.port}/ws`)
  const conversation = await client.createConversation()
  const question = 'Is anybody there? [[tokens=20]]'
  const ended = new Promise<{ readonly turn_id: string }>((resolve) => conversation.on('turn.failed', resolve))
  const sent = conversation.send(question)
  await t.rejects(sent.finished, { code: 'deadline_exceeded' })
  const { turn_id } = await ended

  const listed = await run('list', '--json')
  t.equal(listed.code, 0)
  t.match(JSON.parse(listed.output), { turn_id, conversation_id: conversation.id, reason: 'deadline_exceeded', run: 0, bridge: null })
  t.notMatch(listed.output, /anybody/, 'no text')
  t.match((await run('show', turn_id)).output, /^age +\d+ s$/m)

  await startServer(t, 'bridge', { ...services, CHATTERBOT_ENGINE_URL: engine.url })
  const replied = new Promise<{ readonly turn_id: string; readonly message_id: number }>((resolve) => conversation.on('turn.finished', resolve))
  const retried = await run('retry', turn_id, '--json')
  t.equal(retried.code, 0)
  const { turn_id: next } = JSON.parse(retried.output) as { turn_id: string }
  const finished = await replied
  t.equal(finished.turn_id, next)
  t.match(verifyTranscript(conversation.snapshot().messages.find(({ id }) => id === finished.message_id)?.text ?? '', question, { tokens: 20 }), { ok: true })
  t.match(await run('list'), { code: 0, output: 'There are no dead letters.\n' })
  t.match(await run('show', turn_id), { code: 1, output: /has no dead letter/ })
})

t.test('without a cluster, without NATS and without a sense, the command says so and how to mend it', async (t) => {
  t.match(await operator({}, 'list'), { code: 78, output: /NATS_URL is not set.*npm start.*memory.*What to do: /s })
  t.match(await operator({ NATS_URL: 'nats://127.0.0.1:1' }, 'list'), { code: 69, output: /NATS cannot be reached.*What to do: .*NATS_URL/s })
  t.match(await operator({}, 'bury'), { code: 64, output: /no command "bury".*npm run dead-letters -- list/s })
  t.match(await operator({}, '--help'), { code: 0, output: /npm run dead-letters -- retry/ })
})
