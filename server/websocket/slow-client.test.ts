import t, { type Test } from 'tap'
import type { ReplyOf, ServerMessage } from '../../protocol/websocket/messages.ts'
import { scriptedService, turnId, type ScriptedSubscription } from '../testing/scripted-service.ts'
import { startTestEdge, type TestEdge } from '../testing/test-edge.ts'
import { testLimits } from '../testing/test-limits.ts'
import { testPlans } from '../../platform/limits/testing/plans.ts'
import type { TestSocket } from '../testing/test-socket.ts'

/** More than the kernel's buffers of both ends hold. */
const flood = 12 * 1024 * 1024
const chunk = 64 * 1024

const delta = (offset: number) => ({ type: 'turn.delta', turn_id: turnId, attempt: 1, offset, end: offset + chunk, text: 'x'.repeat(chunk) }) as const
const offsetOf = (message: ServerMessage): number => (message.type === 'turn.delta' ? message.offset : -1)

/** A client that has a conversation open and reads nothing more, until bytes are left unsent. */
async function blockedClient(t: Test, edge: TestEdge): Promise<{ readonly socket: TestSocket; readonly subscription: ScriptedSubscription; readonly told: number }> {
  const socket = await edge.join()
  await socket.ask({ type: 'conversation.open', conversation_id: 1024 })
  const subscription = edge.service.subscriptions.at(-1) as ScriptedSubscription
  socket.pause()
  let told = 0
  for (; subscription.due === 0 && told * chunk < flood; told++) subscription.tell(delta(told * chunk))
  t.equal(subscription.due, 1, 'the connection is blocked, and nothing more was sent')
  return { socket, subscription, told }
}

const blockedNow = (edge: TestEdge): Promise<number> => edge.metric('chatterbot_websocket_blocked_connections')

t.test('a client that stops reading is held at its position, and is sent the rest when it reads again', async (t) => {
  const edge = await startTestEdge(t)
  const { socket, subscription, told } = await blockedClient(t, edge)
  t.equal(await blockedNow(edge), 1)
  for (let n = 0; n < 100; n++) subscription.tell(delta((told + n) * chunk))
  t.equal(subscription.due, 101, 'a blocked connection takes no event')
  socket.resume()
  for (let n = 0; n < told + 100; n++) t.equal(offsetOf(await socket.next()), n * chunk)
  t.equal(await blockedNow(edge), 0)
  t.equal((await socket.ask({ type: 'ping' })).type, 'pong')
})

t.test('a blocked client can stop a reply at once, and hears of it when it reads', async (t) => {
  const stopped: string[] = []
  const service = scriptedService({
    stop: async (_, command) => {
      stopped.push(command.turn_id)
      return { type: 'turn.stopped', turn_id: command.turn_id }
    },
  })
  const edge = await startTestEdge(t, { service })
  const { socket, told } = await blockedClient(t, edge)
  socket.send({ type: 'turn.stop', turn_id: turnId, ref: 'stop' })
  while (stopped.length === 0) await new Promise((resolve) => setImmediate(resolve))
  socket.resume()
  t.same(await socket.next((message) => message.type === 'turn.stopped'), { type: 'turn.stopped', turn_id: turnId, ref: 'stop' })
  for (let n = 0; n <= told - 1; n++) t.equal(offsetOf(await socket.next()), n * chunk)
})

t.test('pages are fetched for a blocked client one by one as it reads', async (t) => {
  let fetched = 0
  const page: ReplyOf<'history.get'> = {
    type: 'history',
    conversation_id: 1024,
    messages: [{ message_id: 2048, role: 'user', content: 'x'.repeat(200_000), parent_id: null, turn_id: null, created_at: '2026-01-01T00:00:00.000Z' }],
    has_more: true,
  }
  const service = scriptedService({
    history: async () => {
      fetched += 1
      return page
    },
  })
  const edge = await startTestEdge(t, { service })
  const { socket } = await blockedClient(t, edge)
  for (let ref = 0; ref < 60; ref++) socket.send({ type: 'history.get', conversation_id: 1024, ref })
  // A direct command answered later shows that all of them were taken.
  socket.send({ type: 'ping', ref: 'last' })
  while ((await edge.metric('chatterbot_commands_total', 'type="ping"')) < 1) await new Promise((resolve) => setImmediate(resolve))
  t.equal(fetched, 0, 'none is held in memory meanwhile')
  socket.resume()
  const refs: unknown[] = []
  while (refs.length < 60) {
    const message = await socket.next((each) => each.type === 'history')
    refs.push('ref' in message ? message.ref : undefined)
  }
  t.same(refs, Array.from({ length: 60 }, (_, ref) => ref), 'in order')
})

t.test('a client that sends on without reading any reply is closed with 4430', async (t) => {
  const edge = await startTestEdge(t)
  const { socket } = await blockedClient(t, edge)
  for (let n = 0; n < 65; n++) socket.send({ type: 'ping', ref: n })
  while ((await edge.metric('chatterbot_websocket_closed_total', 'code="4430"')) < 1) await new Promise((resolve) => setImmediate(resolve))
  socket.resume()
  t.same(await socket.closed, { code: 4430, reason: 'too_slow' })
})

t.test('a client that reads nothing for 30 s is closed with 4430, and one that has read meanwhile is not', async (t) => {
  const edge = await startTestEdge(t)
  const still = await blockedClient(t, edge)
  const slow = await blockedClient(t, edge)
  const closedSlow = (): Promise<number> => edge.metric('chatterbot_websocket_closed_total', 'code="4430"')
  edge.pass(20_000)
  slow.socket.resume()
  await slow.socket.next()
  while ((await blockedNow(edge)) > 1) await new Promise((resolve) => setImmediate(resolve))
  edge.pass(15_000)
  while ((await closedSlow()) < 1) await new Promise((resolve) => setTimeout(resolve, 50))
  still.socket.resume()
  t.same(await still.socket.closed, { code: 4430, reason: 'too_slow' })
  t.ok(still.subscription.closed)
  t.equal((await slow.socket.ask({ type: 'ping' })).type, 'pong')
  t.equal(await closedSlow(), 1)
})

t.test('twenty clients that stop reading cost no more the more they are told', async (t) => {
  const edge = await startTestEdge(t, { limits: testLimits({ plans: testPlans({ sockets: 1000 }) }), maxConnectionsPerAddress: 1000 })
  const clients = []
  for (let n = 0; n < 20; n++) clients.push(await blockedClient(t, edge))
  // Events that the actors hold anyway, shared by all who are behind.
  const shared = delta(0)
  global.gc?.()
  const before = process.memoryUsage().rss
  for (const { subscription } of clients) for (let n = 0; n < 1000; n++) subscription.tell(shared)
  global.gc?.()
  const grownBytes = process.memoryUsage().rss - before
  // 20 clients were told 64 KiB a thousand times: 1.3 GB, had it been queued.
  t.ok(grownBytes < 64 * 1024 * 1024, `grew by ${grownBytes} bytes`)
  t.equal(await blockedNow(edge), 20)
})
