import t from 'tap'
import { encodeBus } from '../../protocol/bus/codec.ts'
import { busVersion, controlSubject, followedSubject, followSubject } from '../../protocol/bus/subjects.ts'
import type { Channel } from '../../platform/bus/channel.ts'
import { startPostgres, type PostgresServer } from '../../tests/harness/postgres.ts'
import { code, create, Device, newWorld, open, send, type Edge } from '../testing/edges.ts'

let postgres: PostgresServer

t.before(async () => {
  postgres = await startPostgres()
})
t.teardown(() => postgres.stop())

/** A conversation that edge-1 owns, with a device there and one at edge-2. */
async function twoEdges(t: Parameters<typeof newWorld>[0], settings: { readonly adaptSecond?: (channel: Channel) => Channel; readonly adaptFirst?: (channel: Channel) => Channel } = {}) {
  const world = await newWorld(t, postgres)
  const owner = await world.edge('edge-1', settings.adaptFirst ? { adapt: settings.adaptFirst } : {})
  const other = await world.edge('edge-2', settings.adaptSecond ? { adapt: settings.adaptSecond } : {})
  const id = await create(owner)
  const [near, far] = [new Device(), new Device('chatterbot.v1.msgpack')]
  await open(owner, 'ann', id, near)
  let moved = 0
  const remote = await open(other, 'ann', id, far, undefined, () => {
    moved += 1
  })
  return { world, owner, other, id, near, far, remote, bridge: world.bridge(), moved: () => moved }
}

/** Passes on what a channel does, but for publications to these subjects that `lose` says true of. */
function losing(lose: (subject: string) => boolean): (channel: Channel) => Channel {
  return (channel) => ({
    get status() {
      return channel.status
    },
    onStatus: (listener) => channel.onStatus(listener),
    publish: (subject, payload) => {
      if (!lose(subject)) channel.publish(subject, payload)
    },
    subscribe: (subject, handler, options) => channel.subscribe(subject, handler, options),
    request: (subject, payload, options) => channel.request(subject, payload, options),
    close: () => channel.close(),
  })
}

const until = async (condition: () => boolean): Promise<void> => {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5))
}

const eventsOf = (device: Device) => device.events.filter(({ type }) => type !== 'turn.delta' && type !== 'turn.queued')

t.test('devices on two edges see the same, in the same order, whichever sends', async (t) => {
  const { owner, other, id, near, far, bridge } = await twoEdges(t)
  t.same([owner.runtime.counts(), other.runtime.counts()].map(({ actors, mirrors, followers }) => ({ actors, mirrors, followers })), [{ actors: 1, mirrors: 0, followers: 1 }, { actors: 0, mirrors: 1, followers: 0 }])
  for (const edge of [owner, other]) {
    const { turn_id } = await send(edge, 'ann', id, 'go')
    const run = await bridge.run()
    for (const text of ['one ', 'two ', 'three']) run.say(text)
    t.equal(await run.finish(), 'confirmed')
    for (const device of [near, far]) {
      await device.until(() => device.ends.has(turn_id))
      t.equal(device.text.get(turn_id), 'one two three')
    }
  }
  t.equal(eventsOf(near).length, 7)
  t.same(eventsOf(far), eventsOf(near))
})

t.test('a device that comes to another edge in mid-reply goes on at its next character', async (t) => {
  const { other, id, near, bridge } = await twoEdges(t)
  const { turn_id, message_id } = await send(other, 'ann', id, 'a story')
  const run = await bridge.run()
  run.say('Once upon a time')
  await near.until(() => near.text.get(turn_id) === 'Once upon a time')
  const late = new Device()
  late.text.set(turn_id, 'Once upon')
  const { opened } = await open(other, 'ann', id, late, { message_id, turn_id, attempt: 1, offset: 9 })
  t.match(opened, { reset: false, turns: [{ turn_id, attempt: 1, offset: 9, text: ' a time' }] })
  late.text.set(turn_id, 'Once upon a time')
  run.say(' there was')
  await run.finish()
  await late.until(() => late.ends.has(turn_id))
  t.equal(late.text.get(turn_id), 'Once upon a time there was')
})

t.test('every command goes to the owner, has its effect once, and is refused as there', async (t) => {
  const { owner, other, id, far, bridge } = await twoEdges(t)
  const { service } = other.runtime
  const first = await send(other, 'ann', id, 'frist', { client_message_id: 'k' })
  t.match(await send(other, 'ann', id, 'frist', { client_message_id: 'k' }), { turn_id: first.turn_id, duplicate: true })
  t.equal(await code(send(other, 'ann', id, 'other', { client_message_id: 'k' })), 'idempotency_conflict')
  t.equal(await code(send(other, 'ann', id, 'hi', { parent_id: 12345 * 1024 })), 'message_not_found')
  const run = await bridge.run()
  run.say('What?')
  await far.until(() => far.text.get(first.turn_id) === 'What?')
  const edited = await service.edit('ann', { type: 'message.edit', conversation_id: id, message_id: first.message_id, client_message_id: 'e', text: 'first' })
  await far.until(() => far.ends.has(first.turn_id))
  t.match(far.ends.get(first.turn_id), { reason: 'stopped', end: 5 })
  const second = await bridge.run()
  second.say('Hello')
  await far.until(() => far.text.get(edited.turn_id) === 'Hello')
  t.match(await service.stop('ann', { type: 'turn.stop', turn_id: edited.turn_id }), { type: 'turn.stopped' })
  t.match(await service.stop('ann', { type: 'turn.stop', turn_id: edited.turn_id }), { type: 'turn.stopped' }, 'again')
  const again = await service.regenerate('ann', { type: 'turn.regenerate', conversation_id: id, message_id: edited.reply_message_id, client_message_id: 'r' })
  t.equal(again.message_id, edited.message_id)
  await (await bridge.run()).finish()
  t.equal(await code(send(other, 'bob', id, 'hi')), 'conversation_not_found')
  t.equal(await code(open(other, 'bob', id, new Device())), 'conversation_not_found')
  t.equal(await code(service.stop('bob', { type: 'turn.stop', turn_id: again.turn_id })), 'turn_not_found')
  t.equal(owner.runtime.counts().actors, 1)
  t.equal(other.runtime.counts().actors, 0)
})

t.test('the lane and the trace of a command go with it to the owner and to the bridge, and a repetition may differ in them', async (t) => {
  const { owner, other, id, bridge } = await twoEdges(t)
  const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
  for (const [edge, lane] of [[owner, 'premium'], [other, 'batch']] as const) {
    const command = { type: 'message.send', conversation_id: id, client_message_id: lane, text: 'go' } as const
    const { turn_id } = await edge.runtime.service.send('ann', command, { lane, traceparent })
    t.match(await edge.runtime.service.send('ann', command), { turn_id, duplicate: true })
    const run = await bridge.run(lane)
    t.match(run.granted, { run: 1, traceparent })
    t.match(await edge.store.turn(turn_id), { lane })
    t.equal(await run.finish(), 'confirmed')
  }
})

t.test('a conversation is renamed and deleted from whichever edge, for the clients of all', async (t) => {
  const { owner, other, id, near, far, bridge, moved } = await twoEdges(t)
  const renamed = await other.runtime.service.rename('ann', { type: 'conversation.rename', conversation_id: id, title: 'New' })
  for (const device of [near, far]) await device.until(() => device.events.some((event) => event.type === 'conversation.updated' && event.title === 'New' && event.updated_at === renamed.updated_at))
  t.match((await owner.runtime.service.list('ann', { type: 'conversation.list' })).conversations, [{ title: 'New', updated_at: renamed.updated_at }])
  t.equal(await code(other.runtime.service.rename('bob', { type: 'conversation.rename', conversation_id: id, title: 'Mine' })), 'conversation_not_found')
  t.equal(await code(other.runtime.service.delete('bob', { type: 'conversation.delete', conversation_id: id })), 'conversation_not_found')
  const { turn_id } = await send(owner, 'ann', id, 'go')
  const run = await bridge.run()
  run.say('half')
  await far.until(() => far.text.get(turn_id) === 'half')
  t.same(await other.runtime.service.delete('ann', { type: 'conversation.delete', conversation_id: id }), { type: 'conversation.deleted', conversation_id: id })
  for (const device of [near, far]) {
    await device.until(() => device.events.some(({ type }) => type === 'conversation.deleted'))
    t.same(device.events.slice(-2).map(({ type }) => type), ['turn.finished', 'conversation.deleted'])
    t.equal(device.text.get(turn_id), 'half')
  }
  await until(() => moved() === 1 && other.runtime.counts().mirrors === 0 && owner.runtime.counts().actors === 0)
  t.equal(await run.finish(), 'abort')
  for (const edge of [owner, other]) {
    t.equal(await code(send(edge, 'ann', id, 'hello?')), 'conversation_not_found')
    t.equal(await code(edge.runtime.service.delete('ann', { type: 'conversation.delete', conversation_id: id })), 'conversation_not_found')
  }
})

t.test('what is lost on the way is noticed by the next item, or by the digest, and the client opens the conversation again', async (t) => {
  let losses = 0
  let lose = false
  const { owner, id, far, bridge, moved } = await twoEdges(t, {
    adaptFirst: losing((subject) => {
      if (subject !== followedSubject('edge-2') || !lose) return false
      losses += 1
      return true
    }),
  })
  const { turn_id } = await send(owner, 'ann', id, 'go')
  const run = await bridge.run()
  run.say('one ')
  await far.until(() => far.text.get(turn_id) === 'one ')
  lose = true
  run.say('two ')
  await until(() => losses > 0)
  // Nothing more happens: only the digest can tell.
  lose = false
  await until(() => moved() === 1)
  t.equal(far.text.get(turn_id), 'one ')
})

t.test('when the last client of an edge leaves, its owner forgets it', async (t) => {
  const { owner, other, remote } = await twoEdges(t)
  const second = await open(other, 'ann', remote.opened.conversation_id, new Device())
  t.equal(owner.runtime.counts().followers, 1, 'one mirror for all of an edge')
  remote.subscription.close()
  await new Promise((resolve) => setTimeout(resolve, 50))
  t.equal(owner.runtime.counts().followers, 1)
  second.subscription.close()
  await until(() => owner.runtime.counts().followers === 0)
  t.equal(other.runtime.counts().mirrors, 0)
})

t.test('an opening whose answer gets lost leaves nothing behind', async (t) => {
  let lost = 0
  const world = await newWorld(t, postgres)
  const owner = await world.edge('edge-1', {
    adapt: (channel) => ({
      ...losing(() => false)(channel),
      get status() {
        return channel.status
      },
      subscribe: (subject, handler, options) =>
        channel.subscribe(
          subject,
          (message) => {
            if (subject !== followSubject('edge-1') || lost > 0) return handler(message)
            lost += 1
            handler({ ...message, respond: () => undefined })
          },
          options,
        ),
    }),
  })
  const other = await world.edge('edge-2')
  const id = await create(owner)
  await open(owner, 'ann', id, new Device())
  const { subscription } = await open(other, 'ann', id, new Device())
  t.equal(lost, 1)
  subscription.close()
  await until(() => other.runtime.counts().mirrors === 0 && owner.runtime.counts().followers === 0)
})

t.test('an owner that stops hands its conversations to the edge that follows', async (t) => {
  const { owner, other, id, far, bridge, moved } = await twoEdges(t)
  const { turn_id, message_id } = await send(other, 'ann', id, 'go')
  const run = await bridge.run()
  run.say('one ')
  await far.until(() => far.text.get(turn_id) === 'one ')
  await owner.stop()
  await until(() => moved() === 1)
  run.say('two')
  const back = new Device()
  back.text.set(turn_id, 'one ')
  const { opened } = await open(other, 'ann', id, back, { message_id, turn_id, attempt: 1, offset: 4 })
  t.match(opened, { reset: false, turns: [{ attempt: 1, offset: 4 }] })
  back.text.set(turn_id, `one ${opened.turns[0]?.text ?? ''}`)
  t.equal(await run.finish(), 'confirmed')
  await back.until(() => back.ends.has(turn_id))
  t.equal(back.text.get(turn_id), 'one two')
  t.equal(other.runtime.counts().actors, 1)
})

t.test('an owner that dies is noticed, and its conversations go on at the edge that follows, with the same generation', async (t) => {
  const { owner, other, id, far, bridge, moved } = await twoEdges(t)
  const { turn_id, message_id } = await send(other, 'ann', id, 'go')
  const run = await bridge.run()
  run.say('one ')
  await far.until(() => far.text.get(turn_id) === 'one ')
  await owner.kill()
  run.say('two ')
  await until(() => moved() === 1)
  const back = new Device()
  back.text.set(turn_id, 'one ')
  const { opened } = await open(other, 'ann', id, back, { message_id, turn_id, attempt: 1, offset: 4 })
  back.text.set(turn_id, `one ${opened.turns[0]?.text ?? ''}`)
  run.say('three')
  t.equal(await run.finish(), 'confirmed')
  await back.until(() => back.ends.has(turn_id))
  t.equal(back.text.get(turn_id), 'one two three')
  t.match(back.ends.get(turn_id), { attempt: 1 })
  t.same(bridge.aborted, [])
})

t.test('with the bus away, a conversation of another edge is taken from it, and what is sent is accepted', async (t) => {
  const { world, owner, other, id, bridge } = await twoEdges(t)
  world.bus.disconnect()
  const accepted = await send(other, 'ann', id, 'anybody there?')
  t.equal(accepted.state, 'queued')
  t.equal(other.runtime.counts().actors, 1)
  // The owner before asks every 5 s while the bus is away, and at its return.
  world.bus.reconnect()
  await until(() => owner.runtime.counts().actors === 0)
  const run = await bridge.run()
  t.equal(run.job.turnId, accepted.turn_id)
  run.say('yes')
  t.equal(await run.finish(), 'confirmed')
  t.match(await send(owner, 'ann', id, 'still there?'), { duplicate: false }, 'and the other way round')
})

t.test('an owner that cannot be reached for 2 s loses the conversation, and hears of it', async (t) => {
  let deaf = false
  const world = await newWorld(t, postgres)
  const owner = await world.edge('edge-1', {
    adapt: (channel) => ({
      ...losing(() => false)(channel),
      get status() {
        return channel.status
      },
      // As where its subscriptions got lost with a connection that it believes to have.
      subscribe: (subject, handler, options) => (/commands|follow$/.test(subject) ? { unsubscribe: () => undefined } : channel.subscribe(subject, handler, options)),
    }),
  })
  const other = await world.edge('edge-2')
  const id = await create(owner)
  await open(owner, 'ann', id, new Device(), undefined, () => {
    deaf = true
  })
  const began = performance.now()
  const accepted = await send(other, 'ann', id, 'hello?')
  t.ok(performance.now() - began >= 1_900)
  t.equal(other.runtime.counts().actors, 1)
  await until(() => deaf)
  t.equal(owner.runtime.counts().actors, 0)
  t.match(await send(owner, 'ann', id, 'and back'), { state: 'waiting', parent_id: accepted.reply_message_id })
})

t.test('a run that was told to send to an owner of the past is called back by the owner of now', async (t) => {
  const { world, other, id, near, bridge } = await twoEdges(t)
  const { turn_id } = await send(other, 'ann', id, 'go')
  const run = await bridge.run()
  run.say('one ')
  await near.until(() => near.text.get(turn_id) === 'one ')
  // The late word of an owner before.
  const late = encodeBus({ v: busVersion, type: 'attach', turn_id, run: 1, edge: 'edge-2', offset: 4, id_offset: 4 })
  await world.bus.channel().request(controlSubject('bridge-1'), late, { timeoutMs: 1_000 })
  run.say('two ')
  await near.until(() => near.text.get(turn_id) === 'one two ')
  run.say('three')
  await near.until(() => near.text.get(turn_id) === 'one two three')
  t.equal(await run.finish(), 'confirmed')
})

t.test('a bridge may ask any edge, and is answered by the owner', async (t) => {
  const world = await newWorld(t, postgres)
  const edges: Edge[] = [await world.edge('edge-1'), await world.edge('edge-2')]
  const bridge = world.bridge()
  const grantedBy = new Set<string>()
  for (let n = 0; n < 6; n += 1) {
    const edge = edges[n % 2] as Edge
    const id = await create(edge)
    await send(edge, 'ann', id, 'go')
    const run = await bridge.run()
    t.equal(run.granted.edge, `edge-${(n % 2) + 1}`)
    grantedBy.add(run.granted.edge)
    run.say('yes')
    t.equal(await run.finish(), 'confirmed')
  }
  t.equal(grantedBy.size, 2)
})
