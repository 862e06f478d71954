import t from 'tap'
import type { ServerEvent } from '../../protocol/websocket/messages.ts'
import { startPostgres, type PostgresServer } from '../../tests/harness/postgres.ts'
import type { FollowedTurn, PartsClient, TurnPosition } from '../conversation-service.ts'
import { code, create, newChat, newWorld, send, type Edge } from '../testing/edges.ts'

let postgres: PostgresServer

t.before(async () => {
  postgres = await startPostgres()
})
t.teardown(() => postgres.stop())

/** What a client of one turn has been told. */
class Listener implements PartsClient {
  readonly writable = true
  readonly turnId: string
  text = ''
  end: ServerEvent | null = null
  moved = false
  #wake: (() => void)[] = []

  constructor(turnId: string) {
    this.turnId = turnId
  }

  delta(turnId: string, _attempt: number, _offset: number, _end: number, text: string): void {
    if (turnId === this.turnId) this.text += text
    this.#wakeAll()
  }

  event(event: ServerEvent): void {
    if (event.type === 'turn.finished' && event.turn_id === this.turnId) this.end = event
    this.#wakeAll()
  }

  fellBehind(): void {
    throw new Error('fell behind')
  }

  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise<void>((resolve) => this.#wake.push(resolve))
  }

  #wakeAll(): void {
    for (const wake of this.#wake.splice(0)) wake()
  }
}

async function follow(edge: Edge, conversationId: number, listener: Listener, position: TurnPosition = { attempt: 1, offset: 0 }): Promise<FollowedTurn | null> {
  const followed = await edge.runtime.service.follow('ann', { conversationId, turnId: listener.turnId, position }, listener, () => {
    listener.moved = true
  })
  if (followed !== null) listener.text += followed.turn.text
  followed?.subscription.start()
  return followed
}

t.test('a turn is followed from where it stands to its end, here and from another edge', async (t) => {
  const world = await newWorld(t, postgres)
  const [owner, other] = [await world.edge('edge-1'), await world.edge('edge-2')]
  const bridge = world.bridge()
  const id = await create(owner)
  const { turn_id, message_id } = await send(owner, 'ann', id, 'a story')
  t.match(await other.runtime.service.turn('ann', turn_id), { state: 'queued', conversationId: id, userMessageId: message_id, reply: null })
  const near = new Listener(turn_id)
  t.match(await follow(owner, id, near), { turn: { state: 'queued', text: '' } })
  const run = await bridge.run()
  run.say('Once upon')
  await near.until(() => near.text === 'Once upon')
  t.match(await owner.runtime.service.turn(null, turn_id), { state: 'running', userId: 'ann', model: 'test-model' })
  const listeners = [near]
  for (const edge of [owner, other]) {
    const late = new Listener(turn_id)
    t.match(await follow(edge, id, late, { attempt: 1, offset: 5 }), { turn: { state: 'running', offset: 5, text: 'upon' } })
    listeners.push(late)
  }
  run.say(' a time')
  t.equal(await run.finish(), 'confirmed')
  for (const listener of listeners) {
    await listener.until(() => listener.end !== null)
    t.ok('Once upon a time'.endsWith(listener.text))
    t.match(listener.end, { end: 16, reason: 'stop' })
  }
  for (const edge of [owner, other]) {
    t.equal(await follow(edge, id, new Listener(turn_id)), null, 'it has ended')
    const ended = await edge.runtime.service.turn('ann', turn_id)
    t.match(ended, { state: 'finished', reply: { message: { content: 'Once upon a time', reason: 'stop' }, usage: { prompt_tokens: 7, completion_tokens: 16 } } })
  }
})

t.test('following a turn of an actor here reads nothing from the store, and leaves nothing behind', async (t) => {
  const { edge, bridge, id, device, subscription } = await newChat(t, postgres)
  const { turn_id } = await send(edge, 'ann', id, 'go')
  await bridge.run()
  await device.until(() => device.events.some(({ type }) => type === 'turn.started'))
  subscription.close()
  const reads = ['conversation', 'turn', 'message', 'reply', 'messagesAfter', 'messagesBefore'] as const
  for (const name of reads) t.capture(edge.store, name, () => Promise.reject(new Error(`read ${name}`)))
  const followed = await follow(edge, id, new Listener(turn_id))
  t.match(followed, { turn: { state: 'running' } })
  followed?.subscription.close()
  t.equal(edge.runtime.counts().turns, 1)
})

t.test('nobody is told of a turn of another, and nobody of one that is not there', async (t) => {
  const { edge, id } = await newChat(t, postgres)
  const { turn_id } = await send(edge, 'ann', id, 'go')
  const { service } = edge.runtime
  const { turn_id: ended } = await send(edge, 'ann', await create(edge), 'go')
  await service.stop('ann', { type: 'turn.stop', turn_id: ended })
  const reads = t.capture(edge.store, 'reply', edge.store.reply)
  t.equal(await code(service.turn('bob', ended)), 'turn_not_found')
  t.same(reads(), [], 'nor has to wait for what is not theirs')
  t.match(await service.turn('ann', ended), { state: 'finished' })
  t.equal(await code(service.turn('bob', turn_id)), 'turn_not_found')
  t.equal(await code(service.turn('bob', turn_id.replace(/.$/, (last) => (last === '0' ? '1' : '0')))), 'turn_not_found')
  t.equal(await code(service.follow('bob', { conversationId: id, turnId: turn_id, position: { attempt: 1, offset: 0 } }, new Listener(turn_id), () => undefined)), 'turn_not_found')
  t.equal(await service.ownerOf(id), 'ann')
  t.equal(await service.ownerOf(id + 1024 * 1024), null)
})

t.test('who follows a turn hears that its conversation has moved', async (t) => {
  const world = await newWorld(t, postgres)
  const owner = await world.edge('edge-1')
  const id = await create(owner)
  const { turn_id } = await send(owner, 'ann', id, 'go')
  const listener = new Listener(turn_id)
  await follow(owner, id, listener)
  await owner.stop()
  t.ok(listener.moved)
})
