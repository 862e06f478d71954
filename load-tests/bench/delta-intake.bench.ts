/**
 * What a token costs an edge from the bus to its clients' frames, against a process that appends it to a text by its turn's
 * id and writes a frame, and keeps no state of the turn at all. Both read the batches by the same decoder.
 */
import { decodeDeltaBatch, encodeBus } from '../../protocol/bus/codec.ts'
import { busVersion } from '../../protocol/bus/subjects.ts'
import { encodeDelta } from '../../protocol/websocket/codec.ts'
import { tokenIdsToBytes } from '../../protocol/bus/token-ids.ts'
import type { Feed } from '../../actors/feed/feed.ts'
import { flushTogether } from '../../actors/feed/flush-together.ts'
import { ConversationActor, type ActorHost } from '../../actors/runtime/actor.ts'
import { DeltaIntake } from '../../actors/runtime/delta-intake.ts'
import { compare } from './compare.ts'
import { runBenchmark } from './program.ts'
import { requireText, Sink, turnIdOf } from './testing/sink.ts'

const turns = 1_000
const tokens = 200
/** Of a batch: what 1,000 streams of 50 tokens a second bring in 10 ms, every one its own. */
const turnsABatch = 500
const tokensAFlush = 2
const token = ' token'
const bridge = 'bridge-1'
/** The first that an owner grants of a turn that it found in the store. */
const run = 2

const turnIds = Array.from({ length: turns }, (_, n) => turnIdOf(n))

/** Of each token of all turns. */
const batches = Array.from({ length: tokens }, (_, at) =>
  Array.from({ length: turns / turnsABatch }, (__, batch) => {
    const items = turnIds.slice(batch * turnsABatch, (batch + 1) * turnsABatch).map((turnId) => [turnId, run, at * token.length, token, at, tokenIdsToBytes([at])] as [string, number, number, string, number, Uint8Array])
    return Buffer.from(encodeBus({ v: busVersion, bridge, items }))
  }),
)

function hostOf(markDirty: (feed: Feed) => void): ActorHost {
  const never = (): never => {
    throw new Error('nothing of the kind happens here')
  }
  return {
    contexts: { path: never, committed: () => undefined },
    store: { write: () => Promise.resolve({ status: 'committed' }) } as unknown as ActorHost['store'],
    now: () => 0,
    feeds: { markDirty, held: false },
    publish: never, control: never, abort: never, deadLetter: never, dropped: never, fault: never, pause: never,
    activated: () => undefined, made: () => undefined, turnAdded: () => undefined, turnRemoved: () => undefined, turnEnded: () => undefined,
  }
}

async function throughActors(): Promise<void> {
  const sinks: Sink[] = []
  const dirty = new Set<Feed>()
  const host = hostOf((feed) => dirty.add(feed))
  const actors = new Map<string, ConversationActor>()
  for (const [n, turnId] of turnIds.entries()) {
    const conversation = { conversationId: n + 1, userId: 'ann', title: 'T', model: null, system: null, lastMessageId: 11, createdAt: 0, updatedAt: 0 } as ConstructorParameters<typeof ConversationActor>[2]
    const queued = { turnId, conversationId: n + 1, userId: 'ann', clientMessageId: 'c1', userMessageId: 10, parentId: null, replyMessageId: 11, state: 'queued', attempt: 1, run: 0, bridge: null, barrenGrants: 0, lane: 'standard', model: null, params: {}, acceptedAt: 0, startedAt: null, deadlineAt: 1e9 } as const
    const actor = new ConversationActor(host, { epoch: 1, node: 'edge-1', bootId: 'boot' }, conversation, [queued])
    const sink = new Sink()
    sinks.push(sink)
    actor.feed.subscribe(sink, null, () => undefined).start()
    await actor.perform((key) => ({ type: 'begin', key, now: 0, turnId, bridge, defaultModel: 'm', fresh: false }))
    actors.set(turnId, actor)
  }
  const fail = (): never => {
    throw new Error('a delta was refused')
  }
  const intake = new DeltaIntake({ now: Date.now, actorOfTurn: (turnId) => actors.get(turnId), strays: { heard: fail }, refusals: { failed: fail, refused: fail } as never, abort: fail })
  for (const [at, ofToken] of batches.entries()) {
    for (const payload of ofToken) intake.receive({ subject: 'deltas', payload, respond: fail })
    if ((at + 1) % tokensAFlush !== 0) continue
    flushTogether(dirty)
    dirty.clear()
  }
  requireText(sinks, tokens * token.length)
}

function withoutState(): void {
  const replies = new Map(turnIds.map((turnId) => [turnId, { sink: new Sink(), text: '', tail: '' }]))
  for (const [at, ofToken] of batches.entries()) {
    for (const payload of ofToken) {
      for (const [turnId, , , text] of decodeDeltaBatch(payload).items) {
        const reply = replies.get(turnId)
        if (reply !== undefined) reply.tail += text
      }
    }
    if ((at + 1) % tokensAFlush !== 0) continue
    for (const [turnId, reply] of replies) {
      const offset = reply.text.length
      reply.text += reply.tail
      reply.sink.send(encodeDelta('chatterbot.v1.json', turnId, 1, offset, reply.text.length, reply.tail))
      reply.tail = ''
    }
  }
  requireText([...replies.values()].map(({ sink }) => sink), tokens * token.length)
}

await runBenchmark({
  name: 'delta-intake',
  title: 'A token through an edge',
  question: 'What does a token cost between the bus and the frame, with all that is known of its turn, against a text and nothing else?',
  options: { rounds: { default: 7, quick: 3, help: 'of each case' } },
  run: async ({ rounds }) => {
    const table = await compare({
      title: `${turns} turns, a frame for ${tokensAFlush} tokens`,
      unit: 'token',
      operations: turns * tokens,
      rounds,
      cases: [
        { name: 'actors and feeds', run: throughActors },
        { name: 'a text and nothing else', run: withoutState },
      ],
    })
    return { tables: [table] }
  },
})
