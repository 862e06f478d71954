import t from 'tap'
import { ChatError } from '../../protocol/errors.ts'
import { decodeBeginReply, encodeBus } from '../../protocol/bus/codec.ts'
import type { ControlReply } from '../../protocol/bus/control.ts'
import { beginSubject, busVersion } from '../../protocol/bus/subjects.ts'
import { Refusals } from '../../platform/bus/refusals.ts'
import type { BusStatus, Channel, ChannelMessage } from '../../platform/bus/channel.ts'
import { createLogger } from '../../platform/logging/logger.ts'
import type { ConversationRow, ConversationStore, ConversationWrite, TurnRow, WriteOptions, WriteResult } from '../../storage/conversation-store.ts'
import { Device } from '../testing/edges.ts'
import { storedContexts } from '../context/context-cache.ts'
import { ConversationActor, type ActorHost } from './actor.ts'
import { BusEndpoint } from './bus-endpoint.ts'
import { LocalConversations } from './local-conversations.ts'
import { TurnTraces } from './turn-traces.ts'
import { noTracer } from '../../platform/tracing/tracer.ts'

const now = 1_000_000
const turnId = '01890a5d-ac96-7004-8000-000000000001'
const conversation = { conversationId: 1, userId: 'ann', title: 'T', model: null, system: null, lastMessageId: 11, createdAt: 0, updatedAt: 0 } as ConversationRow
const running: TurnRow = {
  turnId, conversationId: 1, userId: 'ann', clientMessageId: 'c1', userMessageId: 10, parentId: null, replyMessageId: 11,
  state: 'running', attempt: 1, run: 1, bridge: 'b1', barrenGrants: 0, lane: 'standard', model: null, params: {}, acceptedAt: now - 100, startedAt: now - 50, deadlineAt: now + 60_000,
}
const token = { epoch: 1, node: 'edge-1', bootId: 'boot' } as unknown as ConstructorParameters<typeof ConversationActor>[1]

function newActor(unfinished: readonly TurnRow[], over: { write?: (write: ConversationWrite, options?: WriteOptions) => Promise<WriteResult>; control?: () => Promise<ControlReply | 'nobody' | null>; claim?: () => Promise<unknown>; fault?: (error: unknown) => void; pause?: () => Promise<void> } = {}) {
  const turns = new Map<string, ConversationActor>()
  const host: ActorHost = {
    contexts: storedContexts(null as never),
    store: { write: over.write ?? (() => Promise.resolve({ status: 'committed' })), claim: over.claim } as unknown as ConversationStore,
    now: () => now,
    feeds: { markDirty: () => undefined, held: false },
    publish: () => undefined,
    control: over.control ?? (() => Promise.resolve(null)),
    abort: () => undefined,
    deadLetter: () => undefined,
    activated: () => undefined,
    made: () => undefined,
    turnAdded: (id, actor) => turns.set(id, actor),
    turnRemoved: (id) => turns.delete(id),
    turnEnded: () => undefined,
    dropped: () => undefined,
    fault: (_message, error) => (over.fault === undefined ? t.fail(String(error)) : over.fault(error)),
    pause: over.pause ?? (() => Promise.resolve()),
  }
  return { actor: new ConversationActor(host, token, conversation, unfinished), turns }
}

async function code(promise: Promise<unknown>): Promise<string> {
  return promise.then(() => 'no error', (error: unknown) => (error instanceof ChatError ? error.code : String(error)))
}

t.test('what is read while the conversation is lost is not taken', async (t) => {
  const { actor } = newActor([])
  let taken = false
  const reading = actor.exclusively(
    async () => actor.drop(),
    () => {
      taken = true
    },
  )
  t.equal(await code(reading), 'moved')
  t.notOk(taken)
})

t.test('a commit that comes back after the conversation was lost changes nothing of the turns that its next actor holds', async (t) => {
  let written: (result: WriteResult) => void = () => undefined
  let began: () => void = () => undefined
  const begins = new Promise<void>((resolve) => {
    began = resolve
  })
  const { actor, turns } = newActor([{ ...running, state: 'queued', run: 0, bridge: null }], {
    write: () => {
      began()
      return new Promise((resolve) => {
        written = resolve
      })
    },
  })
  actor.activate()
  const stopping = actor.perform((key) => ({ type: 'stop', key, now, turnId }))
  await begins
  actor.drop()
  const next = newActor([]).actor
  turns.set(turnId, next)
  written({ status: 'committed' })
  t.equal(await code(stopping), 'moved')
  t.equal(turns.get(turnId), next)
})

t.test('a run whose bridge does not answer at first is asked for again', async (t) => {
  const answers: (ControlReply | null)[] = [null, null, { v: 1, type: 'attached', text: 'Hello', token_ids: new Uint8Array(20) }]
  let asked = 0
  let told: () => void = () => undefined
  const answered = new Promise<void>((resolve) => {
    told = resolve
  })
  const { actor } = newActor([running], {
    control: () => {
      asked += 1
      const answer = answers.shift() ?? null
      if (answers.length === 0) setImmediate(told)
      return Promise.resolve(answer)
    },
  })
  actor.activate()
  t.ok(actor.hears(turnId), 'taken to live until it was asked')
  await answered
  t.equal(asked, 3)
  t.match(actor.state.turns, [{ state: 'running', text: 'Hello' }])
})

t.test('a run that its bridge does not know is not asked for again', async (t) => {
  let asked = 0
  const { actor } = newActor([running], {
    control: () => {
      asked += 1
      return Promise.resolve({ v: 1, type: 'unknown' })
    },
  })
  actor.activate()
  await new Promise((resolve) => setImmediate(resolve))
  t.equal(asked, 1)
  t.notOk(actor.hears(turnId))
})

t.test('a finish that can never be written ends the turn as failed, once the conversation is claimed anew', async (t) => {
  const faults: unknown[] = []
  const writes: ConversationWrite[] = []
  const renewed = { ...token, epoch: 2 }
  const answers: (WriteResult | Error)[] = [new Error('no sense made of it'), { status: 'committed' }]
  const { actor } = newActor([{ ...running, state: 'queued', run: 0, bridge: null }], {
    write: (write) => {
      writes.push(write)
      const answer = writes.length === 1 ? { status: 'committed' as const } : answers.shift()
      return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer as WriteResult)
    },
    claim: () => Promise.resolve({ status: 'claimed', token: renewed, conversation, unfinished: [{ ...running, run: 2 }] }),
    fault: (error) => faults.push(error),
  })
  actor.activate()
  await actor.perform((key) => ({ type: 'begin', key, now, turnId, bridge: 'b1', defaultModel: 'm', fresh: false }))
  const request = { v: 1, turn_id: turnId, conversation_id: 1, bridge: 'b1', run: 2, offset: 0, text: 'Hello', outcome: { type: 'finished', reason: 'stop' }, usage: null, model: 'm', cached: false, cost_usd: null } as const
  t.match(await actor.perform((key) => ({ type: 'finish', key, now, request })), { type: 'confirmed' })
  t.match(writes.slice(1), [{ token, ends: [{ content: 'Hello', end: { type: 'finished' } }] }, { token: renewed, ends: [{ content: '', attempt: 2, end: { type: 'failed', error: { code: 'internal' } } }] }])
  t.match(faults, [{ message: 'no sense made of it' }])
  t.same(actor.state.turns, [])
})

t.test('an actor that was dropped claims no more, however its write ended', async (t) => {
  let claims = 0
  const { actor } = newActor([running], {
    write: () => Promise.reject(new ChatError('unavailable')),
    claim: () => {
      claims += 1
      return Promise.reject(new ChatError('unavailable'))
    },
    // It is lost while it waits to settle the write.
    pause: async () => actor.drop(),
  })
  t.equal(await code(actor.perform((key) => ({ type: 'stop', key, now, turnId }))), 'moved')
  t.equal(claims, 0)
})

t.test('nothing follows the news that a conversation was lost', async (t) => {
  const { actor } = newActor([])
  const store = { messagesBefore: () => Promise.resolve({ messages: [], hasMore: false }) } as unknown as ConversationStore
  const local = new LocalConversations({ store, now: () => now, turnDeadlineMs: 60_000, traces: new TurnTraces(noTracer), confirm: () => Promise.resolve() })
  const device = new Device()
  let moved = 0
  const { subscription } = await local.open(actor, { type: 'conversation.open', conversation_id: 1 }, device, () => {
    moved += 1
  })
  subscription.start()
  actor.feed.emit({ type: 'conversation.updated', conversation_id: 1, title: 'late', updated_at: new Date(now).toISOString() })
  actor.drop()
  actor.feed.flush()
  t.equal(moved, 1)
  t.same(device.events, [])
})

/** The bus's end of the actor: what a bridge that asks for the grant is answered. `path` reads the context. */
function grantsOf(actor: ConversationActor, path: () => Promise<unknown>, monotonic: () => number = () => 0) {
  const receivers = new Map<string, (message: ChannelMessage) => void>()
  let tell: (status: BusStatus) => void = () => undefined
  const channel = {
    onStatus: (listener: typeof tell) => {
      tell = listener
      return () => undefined
    },
    subscribe: (subject: string, receive: (message: ChannelMessage) => void) => {
      receivers.set(subject, receive)
      return { unsubscribe: () => receivers.delete(subject) }
    },
  } as unknown as Channel
  const endpoint = new BusEndpoint({
    traces: new TurnTraces(noTracer),
    channel,
    node: 'edge-1',
    placement: { run: (_, here) => here(actor) },
    store: null as never,
    contexts: storedContexts({ path } as unknown as ConversationStore),
    refusals: new Refusals({ logger: createLogger({ level: 'silent', name: 'test' }), monotonic: () => 0 }),
    deltas: { receive: () => undefined },
    now: () => now,
    monotonic,
  })
  endpoint.start()
  const ask = (bridge = 'b1') =>
    new Promise<ReturnType<typeof decodeBeginReply>>((resolve) => {
      const payload = encodeBus({ v: busVersion, turn_id: turnId, conversation_id: 1, bridge, default_model: 'm' })
      receivers.get(beginSubject)?.({ subject: beginSubject, payload, respond: (bytes) => resolve(decodeBeginReply(bytes)) })
    })
  return { endpoint, ask, tell: (status: BusStatus) => tell(status) }
}

const greeting = { messages: [{ message_id: 10, role: 'user', content: 'hi' }], more: null }

t.test('a turn is not granted before its context can be told', async (t) => {
  let writes = 0
  const { actor } = newActor([{ ...running, state: 'queued', run: 0, bridge: null }], {
    write: () => {
      writes += 1
      return Promise.resolve({ status: 'committed' })
    },
  })
  let away = true
  const { endpoint, ask } = grantsOf(actor, () => (away ? Promise.reject(new ChatError('unavailable')) : Promise.resolve(greeting)))
  t.match(await ask(), { type: 'busy' })
  t.equal(writes, 0)
  away = false
  t.match(await ask(), { type: 'granted', run: 2, messages: [{ message_id: 10, content: 'hi' }] })
  endpoint.stop()
})

t.test('a bridge that is not back on the bus yet, as this edge is, is not given up with the text that it alone has', async (t) => {
  const attached: ControlReply = { v: 1, type: 'attached', text: 'Hello', token_ids: new Uint8Array(20) }
  for (const returns of [true, false]) {
    let reply: ControlReply | 'nobody' = 'nobody'
    let at = 0
    const { actor } = newActor([running], { control: () => Promise.resolve(reply), pause: () => new Promise(() => undefined) })
    const { endpoint, ask, tell } = grantsOf(actor, () => Promise.resolve(greeting), () => at)
    tell('disconnected')
    at = 5_000
    tell('connected')
    t.match(await ask('b2'), { type: 'busy', retry_ms: 200 })
    at = 6_999
    t.match(await ask('b2'), { type: 'busy', retry_ms: 200 })
    if (returns) reply = attached
    at = 7_000
    t.match(await ask('b2'), returns ? { type: 'busy' } : { type: 'granted', run: 2, attempt: 2, resume: null })
    t.match(actor.state.turns, [returns ? { attempt: 1, text: 'Hello', bridge: 'b1' } : { attempt: 2, text: '', bridge: 'b2' }])
    endpoint.stop()
  }
})

/** An actor whose store holds what may be held until it is told, and the grant of a turn that it accepted. */
async function grantedActor(): Promise<{ actor: ConversationActor; writes: ConversationWrite[]; finish: () => Promise<unknown> }> {
  const writes: ConversationWrite[] = []
  const { actor } = newActor([], {
    write: (write, { hold } = {}) => {
      const commit = (): WriteResult => {
        writes.push(write)
        return { status: 'committed', ...(write.accept === undefined ? {} : { accepted: { userMessageId: 20, replyMessageId: 21 } }) }
      }
      if (hold === undefined) return Promise.resolve(commit())
      return new Promise((resolve) => {
        let isHere = true
        const end = (result: () => WriteResult) => () => {
          const was = isHere
          isHere = false
          if (was) resolve(result())
          return was
        }
        hold.by({ release: end(commit), withdraw: end(() => ({ status: 'withdrawn' })) })
      })
    },
  })
  await actor.perform((key) => ({
    type: 'accept', key, now, turnId, clientMessageId: 'c1', commandHash: new Uint8Array(32), interrupts: false, user: { type: 'new', content: 'hi', parentId: null }, lane: 'standard', traceparent: null,
    model: null, params: {}, deadlineAt: now + 60_000,
  }))
  t.match(await actor.perform((key) => ({ type: 'begin', key, now, turnId, bridge: 'b1', defaultModel: 'm', fresh: false })), { type: 'granted', turn: { run: 1 } })
  t.equal(writes.length, 1)
  const finish = () =>
    actor.finish({ v: 1, turn_id: turnId, conversation_id: 1, bridge: 'b1', run: 1, offset: 0, text: 'hello', outcome: { type: 'finished', reason: 'stop' }, usage: null, model: 'm', cached: false, cost_usd: null }, now)
  return { actor, writes, finish }
}

t.test('a run that finishes while its grant is held is granted and ended by one write', async (t) => {
  const { actor, writes, finish } = await grantedActor()
  t.same(await finish(), { type: 'confirmed' })
  t.match(writes.slice(1), [{ ends: [{ turnId, run: 1, content: 'hello', granted: { bridge: 'b1' } }] }])
  t.same(actor.state.turns, [])
  t.ok(actor.isIdle || actor.state.step === null)
})

t.test('a grant that is held is written once its run says something, or anything else is asked of the conversation', async (t) => {
  for (const asks of ['delta', 'stop'] as const) {
    const { actor, writes, finish } = await grantedActor()
    if (asks === 'delta') actor.hear('b1', [turnId, 1, 0, 'hel', 0, new Uint8Array(4)], now)
    const stopped = asks === 'stop' ? actor.perform((key) => ({ type: 'stop', key, now, turnId })) : null
    t.match(await finish(), { type: asks === 'stop' ? 'ask_store' : 'confirmed' })
    await stopped
    t.match(writes.slice(1), [{ begin: { turnId, run: 1 } }, { ends: [{ turnId, run: 1 }] }])
    t.notOk(writes[2]?.ends?.[0]?.granted)
  }
})
