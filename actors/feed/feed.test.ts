import fc from 'fast-check'
import t from 'tap'
import { decodeServerMessage } from '../../protocol/websocket/client-codec.ts'
import type { ServerEvent } from '../../protocol/websocket/messages.ts'
import type { Subprotocol } from '../../protocol/websocket/subprotocols.ts'
import type { ClientConnection, PartsClient } from '../conversation-service.ts'
import { Feed } from './feed.ts'
import { Flusher } from './flusher.ts'

const ignore = (): void => undefined

/** A client that shows what it is told, over a connection that can be blocked. */
class Reader {
  writable = true
  /** Blocks after each frame, as a full socket buffer does. */
  slow = false
  behind = false
  frames = 0
  readonly shown = new Map<string, { attempt: number; text: string; ended: boolean }>()

  take(event: ServerEvent): void {
    if (!this.writable) throw new Error('sent while not writable')
    this.frames += 1
    if (this.slow) this.writable = false
    this.apply(event)
  }

  fellBehind(): void {
    this.behind = true
  }

  apply(event: ServerEvent): void {
    if (event.type === 'turn.started') this.shown.set(event.turn_id, { attempt: event.attempt, text: '', ended: false })
    if (event.type === 'turn.delta') {
      const turn = this.shown.get(event.turn_id) ?? { attempt: event.attempt, text: '', ended: false }
      if (turn.attempt !== event.attempt) throw new Error(`attempt ${event.attempt} while ${turn.attempt} is shown`)
      if (turn.ended) throw new Error('text after the end')
      if (turn.text.length !== event.offset) throw new Error(`gap or overlap: ${turn.text.length} held, ${event.offset} came`)
      turn.text += event.text
      if (turn.text.length !== event.end) throw new Error('end is not where the text ends')
      this.shown.set(event.turn_id, turn)
    }
    if (event.type === 'turn.finished') {
      const turn = this.shown.get(event.turn_id) ?? { attempt: event.attempt, text: '', ended: false }
      if (turn.text.length !== event.end) throw new Error(`ended at ${event.end} with ${turn.text.length} shown`)
      this.shown.set(event.turn_id, { ...turn, ended: true })
    }
  }
}

class FramesReader extends Reader implements ClientConnection {
  readonly subprotocol: Subprotocol
  /** Writes on the connection, each of one frame or more. */
  writes = 0
  #isCorked = false

  constructor(subprotocol: Subprotocol) {
    super()
    this.subprotocol = subprotocol
  }

  cork(work: () => void): void {
    this.writes += 1
    this.#isCorked = true
    work()
    this.#isCorked = false
  }

  send(frame: string | Uint8Array): void {
    if (!this.#isCorked) this.writes += 1
    this.take(decodeServerMessage(this.subprotocol, frame) as ServerEvent)
  }
}

class PartsReader extends Reader implements PartsClient {
  delta(turn_id: string, attempt: number, offset: number, end: number, text: string): void {
    this.take({ type: 'turn.delta', turn_id, attempt, offset, end, text })
  }

  event(event: ServerEvent): void {
    this.take(event)
  }
}

type Kind = Subprotocol | 'parts'

function readerOf(kind: Kind): FramesReader | PartsReader {
  return kind === 'parts' ? new PartsReader() : new FramesReader(kind)
}

const turnIds = Array.from({ length: 40 }, (_, n) => `01900000-0000-7000-8000-${String(n).padStart(12, '0')}`)

function started(turn_id: string, attempt: number): ServerEvent {
  return { type: 'turn.started', conversation_id: 1, turn_id, user_message_id: 1, message_id: 2, attempt, model: 'm' }
}

function finished(turn_id: string, attempt: number, end: number): ServerEvent {
  return { type: 'turn.finished', turn_id, attempt, message_id: 2, reason: 'stop', end, usage: null, timing: { queue_ms: 0, ttft_ms: null, total_ms: 0 }, model: 'm', cached: false, cost_usd: null }
}

const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant('text' as const), text: fc.string({ minLength: 1, maxLength: 8, unit: 'binary' }) }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('flush' as const) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('end' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('anew' as const) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('join' as const), slow: fc.boolean(), kind: fc.constantFrom<Kind>('chatterbot.v1.json', 'chatterbot.v1.msgpack', 'parts') }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('pace' as const), reader: fc.nat(), pace: fc.constantFrom('live' as const, 'whole' as const) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('drain' as const), reader: fc.nat() }) },
)

t.test('every reader, however slow and whenever it came, shows each turn in full and in order', async () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const feed = new Feed(1, { markDirty: () => undefined, held: false })
      const readers: { reader: Reader; subscription: ReturnType<Feed['subscribe']>; from: number }[] = []
      const replies: { text: string; attempt: number }[] = [{ text: '', attempt: 1 }]
      const join = (slow: boolean, kind: Kind): void => {
        const reader = readerOf(kind)
        reader.slow = slow
        const current = replies.length - 1
        const { text, attempt } = replies[current] as { text: string; attempt: number }
        // What `conversation.opened` told.
        reader.shown.set(turnIds[current] as string, { attempt, text, ended: false })
        const subscription = feed.subscribe(reader, { turnId: turnIds[current] as string, attempt, offset: text.length }, ignore)
        readers.push({ reader, subscription, from: current })
        subscription.start()
      }
      feed.emit(started(turnIds[0] as string, 1))
      join(false, 'chatterbot.v1.json')
      for (const each of steps) {
        const current = replies.length - 1
        const reply = replies[current] as { text: string; attempt: number }
        const turnId = turnIds[current] as string
        if (each.do === 'text') {
          const text = each.text.toWellFormed()
          reply.text += text
          feed.show(turnId, reply.attempt, text)
        }
        if (each.do === 'flush') feed.flush()
        if (each.do === 'anew') {
          reply.attempt += 1
          reply.text = ''
          feed.emit(started(turnId, reply.attempt))
        }
        if (each.do === 'end' && current < turnIds.length - 1) {
          feed.emit(finished(turnId, reply.attempt, reply.text.length))
          replies.push({ text: '', attempt: 1 })
          feed.emit(started(turnIds[current + 1] as string, 1))
        }
        if (each.do === 'join') join(each.slow, each.kind)
        if (each.do === 'pace') readers[each.reader % readers.length]?.subscription.setPace(each.pace)
        if (each.do === 'drain') {
          const chosen = readers[each.reader % readers.length]
          if (chosen) {
            chosen.reader.writable = true
            chosen.subscription.pump()
          }
        }
      }
      for (const { reader, subscription, from } of readers) {
        while (!reader.behind) {
          reader.writable = true
          const before = reader.frames
          subscription.setPace('live')
          subscription.pump()
          if (reader.frames === before) break
        }
        if (reader.behind) throw new Error('fell behind')
        for (let n = from; n < replies.length; n += 1) {
          const reply = replies[n] as { text: string; attempt: number }
          const shown = reader.shown.get(turnIds[n] as string)
          if (reply.text !== (shown?.text ?? '')) throw new Error(`reader shows ${JSON.stringify(shown?.text)} of ${JSON.stringify(reply.text)}`)
        }
      }
    }),
    { numRuns: 500 },
  )
})

t.test('a reader that stays behind more events than are kept is given up, and the others are not', async (t) => {
  const feed = new Feed(1, { markDirty: () => undefined, held: false })
  const slow = new FramesReader('chatterbot.v1.json')
  const fast = new FramesReader('chatterbot.v1.json')
  const [, second] = [slow, fast].map((reader) => {
    const subscription = feed.subscribe(reader, null, ignore)
    subscription.start()
    return subscription
  })
  slow.writable = false
  for (let n = 0; n < 1_000; n += 1) {
    feed.emit({ type: 'conversation.updated', conversation_id: 1, title: `t${n}`, updated_at: '2026-01-01T00:00:00.000Z' })
    feed.flush()
  }
  slow.writable = true
  feed.flush()
  t.ok(slow.behind)
  t.equal(slow.frames, 0)
  t.notOk(fast.behind)
  t.equal(fast.frames, 1_000)
  second?.close()
  t.notOk(feed.hasAudience)
})

t.test('the first text goes at once, the rest in step, one frame for all that came', async (t) => {
  const flusher = new Flusher(() => performance.now())
  const feed = new Feed(1, flusher)
  const reader = new FramesReader('chatterbot.v1.json')
  const turnId = turnIds[0] as string
  feed.subscribe(reader, null, ignore).start()
  feed.emit(started(turnId, 1))
  feed.show(turnId, 1, 'a')
  await new Promise(setImmediate)
  t.equal(reader.shown.get(turnId)?.text, 'a')
  for (const text of 'bcdef') feed.show(turnId, 1, text)
  t.equal(reader.shown.get(turnId)?.text, 'a', 'not yet')
  flusher.close()
  t.equal(reader.shown.get(turnId)?.text, 'abcdef')
  t.equal(reader.frames, 3, 'started, the first text, the rest')
})

t.test('text that comes after a while goes at once, what comes soon after waits for its time, and nothing spins while it is held', async (t) => {
  let now = 1_000
  let isHeld = false
  let flushes = 0
  const flusher = new Flusher(() => now, () => {
    flushes += 1
    return isHeld
  })
  const feed = new Feed(1, flusher)
  const reader = new FramesReader('chatterbot.v1.json')
  const turnId = turnIds[0] as string
  feed.subscribe(reader, null, ignore).start()
  const turn = (): Promise<void> => new Promise(setImmediate)
  const shown = (): string | undefined => reader.shown.get(turnId)?.text
  feed.show(turnId, 1, 'a')
  await turn()
  now += 20
  feed.show(turnId, 1, 'b')
  await turn()
  t.equal(shown(), 'ab', 'nothing was flushed lately but the first text')
  now += 20
  feed.show(turnId, 1, 'c')
  await turn()
  t.equal(shown(), 'ab', 'it is 20 ms after the last flush')
  while (shown() !== 'abc') await turn()
  now += 200
  isHeld = true
  feed.show(turnId, 1, 'd')
  await turn()
  await turn()
  const before = flushes
  for (let n = 0; n < 1_000; n += 1) await turn()
  t.ok(flushes - before < 500, `${flushes - before} looks in 1,000 turns of the event loop: a held feed waits for the next flush`)
  isHeld = false
  flusher.close()
  t.equal(shown(), 'abcd')
})

t.test('what goes to one connection at a time leaves in one write, of however many conversations it is', async (t) => {
  const flusher = new Flusher(() => performance.now())
  const feeds = [0, 1, 2].map((n) => new Feed(n, flusher))
  const all = new FramesReader('chatterbot.v1.json')
  const one = new FramesReader('chatterbot.v1.msgpack')
  for (const feed of feeds) feed.subscribe(all, null, ignore).start()
  feeds[0]?.subscribe(one, null, ignore).start()
  const told = (): unknown => [all, one].map(({ frames, writes }) => ({ frames, writes }))
  for (const [n, feed] of feeds.entries()) feed.emit(started(turnIds[n] as string, 1))
  for (const [n, feed] of feeds.entries()) feed.show(turnIds[n] as string, 1, 'first')
  await new Promise(setImmediate)
  t.same(told(), [{ frames: 6, writes: 1 }, { frames: 2, writes: 1 }])
  for (const [n, feed] of feeds.entries()) feed.show(turnIds[n] as string, 1, ', second')
  flusher.close()
  t.same(told(), [{ frames: 9, writes: 2 }, { frames: 3, writes: 2 }])
  for (const [n, feed] of feeds.entries()) feed.emit(finished(turnIds[n] as string, 1, 'first, second'.length))
  flusher.close()
  t.same(told(), [{ frames: 12, writes: 3 }, { frames: 4, writes: 3 }])
  for (const reader of [all, one]) t.same(reader.shown.get(turnIds[0] as string), { attempt: 1, text: 'first, second', ended: true })
})

t.test('where nobody wants text as it comes, it waits for the end, and costs no flush', async (t) => {
  let marked = 0
  const feed = new Feed(1, { markDirty: () => (marked += 1), held: false })
  const whole = new PartsReader()
  const other = new FramesReader('chatterbot.v1.json')
  const turnId = turnIds[0] as string
  for (const reader of [whole, other]) {
    const subscription = feed.subscribe(reader, null, ignore)
    subscription.setPace('whole')
    subscription.start()
  }
  feed.emit(started(turnId, 1))
  feed.flush()
  marked = 0
  for (const text of 'abcdef') feed.show(turnId, 1, text)
  t.equal(marked, 0)
  feed.flush()
  t.equal(whole.frames, 1, 'started only')
  feed.emit(finished(turnId, 1, 6))
  feed.flush()
  for (const reader of [whole, other]) {
    t.same(reader.shown.get(turnId), { attempt: 1, text: 'abcdef', ended: true })
    t.equal(reader.frames, 3, 'started, the text, the end')
  }
})

t.test('a client may close its subscription on what it is told', async (t) => {
  const feed = new Feed(1, { markDirty: () => undefined, held: false })
  const turnId = turnIds[0] as string
  const told: string[] = []
  const subscription = feed.subscribe({ writable: true, delta: () => told.push('delta'), event: ({ type }) => { told.push(type); subscription.close() }, fellBehind: () => told.push('behind') }, null, ignore)
  subscription.start()
  feed.emit(started(turnId, 1))
  feed.show(turnId, 1, 'a')
  feed.flush()
  feed.flush()
  t.same(told, ['turn.started'])
  t.notOk(feed.hasAudience)
})

t.test('who hears of a conversation is told once that it has moved, and hears no more; its owner is told of each who leaves', async (t) => {
  let left = 0
  const told: string[] = []
  const feed = new Feed(1, { markDirty: () => undefined, held: false }, { left: () => (left += 1) })
  const [reader, gone] = [new FramesReader('chatterbot.v1.json'), new FramesReader('chatterbot.v1.json')]
  const leaves = feed.subscribe(gone, null, () => told.push('one that left'))
  // Its news makes another leave, which then is told nothing.
  feed.subscribe(reader, null, () => {
    told.push('first')
    second.close()
  }).start()
  const second = feed.subscribe(reader, null, () => told.push('second'))
  const untap = feed.tap({ show: () => told.push('text'), emit: () => told.push('event'), moved: () => told.push('tap') })
  leaves.close()
  leaves.close()
  t.equal(left, 1)
  feed.moved()
  t.same(told, ['first', 'tap'])
  t.equal(left, 3)
  untap()
  untap()
  t.equal(left, 4)
  t.notOk(feed.hasAudience)
  feed.emit(started(turnIds[0] as string, 1))
  feed.flush()
  t.equal(reader.frames, 0)
  feed.moved()
  t.same(told, ['first', 'tap'])
})
