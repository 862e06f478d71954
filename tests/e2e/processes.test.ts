import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer, type AddressInfo } from 'node:net'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { verifyTranscript } from '../../load-tests/simulated-vllm/reply.ts'
import { startSimulatedVllm } from '../../load-tests/simulated-vllm/server.ts'
import { startNatsServer } from '../harness/nats-server.ts'
import { freePort } from '../harness/ports.ts'
import { startPostgres } from '../harness/postgres.ts'
import { runServer, startServer } from './server-process.ts'
import { connectClient } from './standalone-process.ts'

t.setTimeout(120_000)

const ask = (port: number, path: string) => fetch(`http://127.0.0.1:${port}${path}`)

t.test('an edge and a bridge, each a process, write a reply together, and each tells how it is', async (t) => {
  const [nats, postgres, engine] = await Promise.all([startNatsServer(t), startPostgres(t), startSimulatedVllm()])
  t.teardown(() => engine.close())
  const services = { NATS_URL: nats.url, DATABASE_URL: `${await postgres.createDatabase('one')},${await postgres.createDatabase('two')}` }
  const [edge, bridge] = await Promise.all([startServer(t, 'edge', services), startServer(t, 'bridge', { ...services, CHATTERBOT_ENGINE_URL: engine.url })])
  t.match(edge.ready, { ready: true, role: 'edge', node: 'edge-1', port: Number, status_port: Number })
  t.match(bridge.ready, { ready: true, role: 'bridge', node: 'bridge-1', status_port: Number })

  const client = connectClient(t, `ws://127.0.0.1:${edge.ready.port}/ws`)
  const conversation = await client.createConversation()
  const question = 'Who is there? [[tokens=60]]'
  const reply = await conversation.send(question).finished
  t.match(verifyTranscript(reply.text, question, { tokens: 60 }), { ok: true })

  for (const { node, status_port: port } of [edge.ready, bridge.ready]) {
    t.match(await (await ask(port, '/health')).json(), { status: 'ok', node })
    const ready = await ask(port, '/ready')
    t.equal(ready.status, 200)
    t.same(await ready.json(), { ready: true, missing: [] })
    t.match(await (await ask(port, '/metrics')).text(), new RegExp(`process_cpu_seconds_total\\{.*node="${node}".*\\}`))
    t.equal((await ask(port, '/nothing')).status, 404)
    t.equal((await fetch(`http://127.0.0.1:${port}/health`, { method: 'POST' })).status, 405)
  }

  await nats.kill()
  const missing = async (port: number): Promise<unknown> => {
    for (;;) {
      const answer = await ask(port, '/ready')
      if (answer.status === 503) return answer.json()
    }
  }
  for (const { status_port: port } of [edge.ready, bridge.ready]) t.match(await missing(port), { ready: false, missing: [{ part: 'bus', reason: 'NATS does not answer' }] })
  await nats.start()

  t.same(await bridge.stop({ deadlineMs: 20_000 }), { code: 0, signal: null })
  t.same(await edge.stop({ deadlineMs: 20_000 }), { code: 0, signal: null })
})

t.test('edges share a port, which another kind of program does not', async (t) => {
  const [nats, postgres] = await Promise.all([startNatsServer(t), startPostgres(t)])
  const port = String(await freePort())
  const env = { NATS_URL: nats.url, DATABASE_URL: postgres.url(), PORT: port }
  const first = await startServer(t, 'edge', env)
  const second = await startServer(t, 'edge', { ...env, CHATTERBOT_NODE_ID: 'edge-2' })
  t.equal(second.ready.port, first.ready.port)
  const nodes = new Set<string>()
  while (nodes.size < 2) nodes.add(((await (await fetch(`http://127.0.0.1:${port}/health`, { headers: { connection: 'close' } })).json()) as { node: string }).node)
  t.same([...nodes].sort(), ['edge-1', 'edge-2'])
  await Promise.all([first.stop(), second.stop()])

  const taken = createServer().listen(0, '127.0.0.1')
  await once(taken, 'listening')
  const foreign = (taken.address() as AddressInfo).port
  const blocked = await runServer('edge', { ...env, PORT: String(foreign) })
  t.equal(blocked.code, 69)
  t.match(blocked.output, new RegExp(`Port ${foreign} of 127\\.0\\.0\\.1 is taken`))
  const deaf = await runServer('edge', { ...env, CHATTERBOT_STATUS_PORT: String(foreign) })
  t.equal(deaf.code, 69)
  t.match(deaf.output, new RegExp(`Port ${foreign} .*metrics.* is taken.*What to do: .*CHATTERBOT_STATUS_PORT`, 's'))
  taken.close()
})

t.test('what a process cannot do without, and who refuses it, is said plainly', async (t) => {
  const bare = await runServer('edge', {})
  t.equal(bare.code, 78)
  t.match(bare.output, /- NATS_URL: .*- DATABASE_URL: .*What to do: /s)
  t.notMatch(bare.output, / at .*\.js/, 'no stack')
  const bridge = await runServer('bridge', { CHATTERBOT_ENGINE_URL: 'here' })
  t.equal(bridge.code, 78)
  t.match(bridge.output, /- CHATTERBOT_ENGINE_URL: .*- NATS_URL: /s)

  const [postgres, guarded, plain] = await Promise.all([startPostgres(t), startNatsServer(t, ['-js', '--user', 'ann', '--pass', 'right']), startNatsServer(t, [])])
  const stranger = await runServer('bridge', { NATS_URL: guarded.url.replace('//', '//ann:wrong@'), CHATTERBOT_ENGINE_URL: 'http://127.0.0.1:1' })
  t.equal(stranger.code, 78)
  t.match(stranger.output, /refuses the credentials.*What to do: .*NATS_URL/s)
  const forgetful = await runServer('bridge', { NATS_URL: plain.url, CHATTERBOT_ENGINE_URL: 'http://127.0.0.1:1' })
  t.equal(forgetful.code, 78)
  t.match(forgetful.output, /no JetStream.*What to do: /s)
  const nowhere = await runServer('edge', { NATS_URL: plain.url, DATABASE_URL: postgres.url('nothing') })
  t.equal(nowhere.code, 78)
  t.match(nowhere.output, /database "nothing" does not exist.*What to do: .*DATABASE_URL/s)
  for (const { output } of [stranger, forgetful, nowhere]) t.notMatch(output, /wrong@| at .*\.js/, 'neither password nor stack')
})

t.test('a process that is to end with its starter does, and one that is not stays', async (t) => {
  const nats = await startNatsServer(t)
  const program = fileURLToPath(new URL('../../inference-bridge/main.js', import.meta.url))
  const start = async (endWithInput: string) => {
    const env = { NATS_URL: nats.url, CHATTERBOT_NODE_ID: 'bridge-1', CHATTERBOT_ENGINE_URL: 'http://127.0.0.1:1', LOG_LEVEL: 'silent', CHATTERBOT_END_WITH_INPUT: endWithInput }
    const child = spawn(process.execPath, [program], { stdio: ['pipe', 'pipe', 'inherit'], env })
    t.teardown(() => child.kill('SIGKILL'))
    const exited = once(child, 'exit')
    await once(createInterface({ input: child.stdout }), 'line')
    child.stdin.end()
    return { child, exited }
  }
  const bound = await start('true')
  t.same(await bound.exited, [1, null])
  const free = await start('false')
  free.child.kill('SIGTERM')
  t.same(await free.exited, [0, null], 'it was there to be told')
})
