import t from 'tap'
import { StartupFault } from '../platform/lifecycle/startup-fault.ts'
import { levelOf } from './load-level.ts'
import { scriptedService, turnId } from './testing/scripted-service.ts'
import { startTestEdge } from './testing/test-edge.ts'

t.test('a port that is taken is said plainly, with what to do', async (t) => {
  const { edge } = await startTestEdge(t)
  const error = await startTestEdge(t, { port: edge.port }).then(
    () => null,
    (fault: unknown) => fault,
  )
  t.ok(error instanceof StartupFault)
  t.match(error, { message: new RegExp(`Port ${edge.port} .* taken`), hint: /PORT=/, exitCode: 69 })
  const foreign = await startTestEdge(t, { host: '192.0.2.1' }).catch((fault: unknown) => fault)
  t.match(foreign, { message: /no address of this machine/, hint: /HOST/ })
})

t.test('draining tells every client when to reconnect, lets commands in hand end, and closes with 1012', async (t) => {
  let release: (() => void) | undefined
  const service = scriptedService({
    stop: (_, command) =>
      new Promise((resolve) => {
        release = () => resolve({ type: 'turn.stopped', turn_id: command.turn_id })
      }),
  })
  const { edge, join, connect } = await startTestEdge(t, { service })
  const idle = await Promise.all(Array.from({ length: 20 }, () => join()))
  const busy = await join({ protocols: ['chatterbot.v1.msgpack'] })
  busy.send({ type: 'turn.stop', turn_id: turnId, ref: 'in hand' })
  const silent = await connect()
  await busy.ask({ type: 'ping' })

  const draining = edge.drain()
  t.equal(edge.drain(), draining, 'callers share one promise')
  const waits: number[] = []
  for (const socket of idle) {
    const message = await socket.next((each) => each.type === 'server.draining')
    if (message.type === 'server.draining') waits.push(message.reconnect_after_ms)
    t.same(await socket.closed, { code: 1012, reason: 'restart' })
  }
  t.ok(new Set(waits).size > 10, 'they do not come back all at once')
  t.equal((await silent.closed).code, 1012)
  await t.rejects(connect(), /ECONNREFUSED/)
  await busy.next((message) => message.type === 'server.draining')
  busy.send({ type: 'turn.stop', turn_id: turnId, ref: 'too late' })
  t.match(await busy.next(), { type: 'error', code: 'draining', ref: 'too late', retryable: true })
  release?.()
  t.match(await busy.next(), { type: 'turn.stopped', ref: 'in hand' })
  t.same(await busy.closed, { code: 1012, reason: 'restart' })
  await draining
  await edge.stop()
})

t.test('a command that never ends holds up a drain no longer than its deadline', async (t) => {
  const { edge, join } = await startTestEdge(t, { drainDeadlineMs: 50, service: scriptedService({ stop: () => new Promise(() => {}) }) })
  const socket = await join()
  socket.send({ type: 'turn.stop', turn_id: turnId })
  await socket.ask({ type: 'ping' })
  await edge.drain()
  t.same(await socket.closed, { code: 1012, reason: 'restart' })
})

t.test('stop without drain closes everything, at any time, and can be called twice', async (t) => {
  const { edge, join } = await startTestEdge(t)
  const socket = await join()
  t.equal(edge.stop(), edge.stop())
  t.equal((await socket.closed).code, 1012)
  await edge.stop()

  const early = await startTestEdge(t)
  void early.edge.start()
  await early.edge.stop()
  await t.rejects(early.connect(), /ECONNREFUSED/)
})

t.test('a level of load begins at its wait, and is left at half of it', async (t) => {
  t.equal(levelOf(2_999, 'normal'), 'normal')
  t.equal(levelOf(3_000, 'normal'), 'busy')
  t.equal(levelOf(1_600, 'busy'), 'busy')
  t.equal(levelOf(1_400, 'busy'), 'normal')
  t.equal(levelOf(20_000, 'normal'), 'overloaded')
  t.equal(levelOf(15_000, 'overloaded'), 'overloaded')
  t.equal(levelOf(9_000, 'overloaded'), 'busy')
  t.equal(levelOf(0, 'overloaded'), 'normal')
})
