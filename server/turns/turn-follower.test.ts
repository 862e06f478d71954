import fc from 'fast-check'
import t from 'tap'
import { ChatError } from '../../protocol/errors.ts'
import type { ServerEvent } from '../../protocol/websocket/messages.ts'
import type { PartsClient, TurnPosition, TurnStatus } from '../../actors/conversation-service.ts'
import { subscribeAfter } from '../../actors/feed/after-snapshot.ts'
import { Feed } from '../../actors/feed/feed.ts'
import type { ReplyEnd, ReplyReader } from './reply-reader.ts'
import { TurnFollower, type TurnFollowerOptions } from './turn-follower.ts'
import { wholeReply } from './whole-reply.ts'

const turnId = '01900000-0000-7000-8000-000000000001'
const otherTurn = '01900000-0000-7000-8000-000000000002'
type Service = TurnFollowerOptions['service']

const turn = { userId: 'ann', conversationId: 1024, turnId }
const timing = { queue_ms: 1, ttft_ms: 2, total_ms: 3 }
const usage = { prompt_tokens: 5, completion_tokens: 6 }

/** A turn whose owner a test changes, and whose reply it writes. */
class Owner implements Service {
  attempt = 1
  text = ''
  /** Of the present owner: less than `text` while it does not hold all of it yet. */
  resuming = false
  ended: 'finished' | 'failed' | null = null
  refusals: ChatError[] = []
  opened = 0
  #feed = new Feed(1, { markDirty: () => undefined, held: false })

  begin(): void {
    this.#feed.emit({ type: 'turn.started', conversation_id: 1024, turn_id: turnId, user_message_id: 2048, message_id: 3072, attempt: this.attempt, model: 'm' })
  }

  write(text: string): void {
    if (this.ended !== null || this.resuming) return
    this.text += text
    this.#feed.show(turnId, this.attempt, text)
  }

  flush(): void {
    this.#feed.flush()
  }

  restart(): void {
    if (this.ended !== null) return
    this.resuming = false
    this.attempt += 1
    this.text = ''
    this.begin()
  }

  /** The next owner holds nothing of the text until it has attached. */
  move(resuming: boolean): void {
    if (this.ended === null) this.resuming = resuming
    const before = this.#feed
    this.#feed = new Feed(1, { markDirty: () => undefined, held: false })
    if (this.ended === null && !resuming && this.text !== '') this.#feed.show(turnId, this.attempt, this.text)
    before.moved()
  }

  attach(): void {
    if (!this.resuming) return
    this.resuming = false
    if (this.text !== '') this.#feed.show(turnId, this.attempt, this.text)
  }

  end(how: 'finished' | 'failed', silently = false): void {
    if (this.ended !== null) return
    this.attach()
    this.ended = how
    if (silently) return
    const common = { turn_id: turnId, attempt: this.attempt, message_id: 3072, end: this.text.length }
    this.#feed.emit(
      how === 'finished'
        ? { type: 'turn.finished', ...common, reason: 'stop', usage, timing, model: 'm', cached: false, cost_usd: null }
        : { type: 'turn.failed', ...common, error: { code: 'engine_unavailable', message: 'x', retryable: true } },
    )
  }

  /** Of the conversation's next turn. */
  other(text: string): void {
    if (this.ended === null) return
    this.#feed.emit({ type: 'turn.started', conversation_id: 1024, turn_id: otherTurn, user_message_id: 4096, message_id: 5120, attempt: 1, model: 'm' } satisfies ServerEvent)
    this.#feed.show(otherTurn, 1, text)
  }

  async follow(_userId: string, { position }: { position: TurnPosition }, client: PartsClient, onMoved: () => void) {
    await Promise.resolve()
    const refusal = this.refusals.pop()
    if (refusal !== undefined) throw refusal
    this.opened += 1
    if (this.ended !== null) return null
    const shown = position.attempt === this.attempt ? position.offset : 0
    const offset = this.resuming ? shown : shown > this.text.length ? 0 : shown
    const text = this.resuming ? '' : this.text.slice(offset)
    const state = this.resuming ? ('resuming' as const) : ('running' as const)
    const snapshot = { turn_id: turnId, user_message_id: 2048, message_id: 3072, attempt: this.attempt, offset, end: offset + text.length, text, state, model: 'm' }
    return { turn: snapshot, subscription: subscribeAfter({ turns: [snapshot] }, this.#feed, client, onMoved) }
  }

  async turn(): Promise<TurnStatus> {
    await Promise.resolve()
    const status = { userId: 'ann', conversationId: 1024, turnId, userMessageId: 2048, replyMessageId: 3072, attempt: this.attempt, model: 'm', acceptedAt: 0, deadlineAt: 0 }
    if (this.ended === null) return { ...status, state: 'running', reply: null }
    const failed = this.ended === 'failed' ? { reason: 'failed' as const, error: { code: 'engine_unavailable', message: 'x', retryable: true } } : { reason: 'stop' as const }
    const message = { message_id: 3072, role: 'assistant' as const, content: this.text, parent_id: 2048, turn_id: turnId, created_at: '2026-01-01T00:00:00.000Z', model: 'm', attempt: this.attempt, ...failed }
    return { ...status, state: this.ended, reply: { message, usage, timing, cached: false, costUsd: null } }
  }
}

/** Appends what it is given, over a connection that can be blocked. */
class Appender implements ReplyReader {
  writable = true
  slow = false
  text_ = ''
  readonly starts: number[] = []
  end: ReplyEnd | null = null
  #wake: () => void = () => undefined

  started(attempt: number): void {
    this.starts.push(attempt)
  }

  text(text: string): void {
    if (this.end !== null) throw new Error('text after the end')
    this.text_ += text
    if (this.slow) this.writable = false
  }

  ended(end: ReplyEnd): void {
    if (this.end !== null) throw new Error('a second end')
    this.end = end
    this.#wake()
  }

  async finished(): Promise<ReplyEnd> {
    while (this.end === null) await new Promise<void>((resolve) => (this.#wake = resolve))
    return this.end
  }
}

const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant('write' as const), text: fc.string({ minLength: 1, maxLength: 6 }) }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('flush' as const) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('move' as const), resuming: fc.boolean() }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('attach' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('restart' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('end' as const), failed: fc.boolean(), silently: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('refuse' as const) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('drain' as const) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('wait' as const) }) },
)

t.test('whatever moves, ends and begins anew: what is passed on is the stored reply from the position on, or ends as restarted', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), fc.nat(12), fc.boolean(), async (steps, from, slow) => {
      const owner = new Owner()
      owner.begin()
      owner.write('0123456789')
      const reader = new Appender()
      reader.slow = slow
      const position = { attempt: 1, offset: from }
      const follower = new TurnFollower({ service: owner, turn, reader, position })
      follower.start()
      for (const each of steps) {
        if (each.do === 'write') owner.write(each.text)
        if (each.do === 'flush') owner.flush()
        if (each.do === 'move') owner.move(each.resuming)
        if (each.do === 'attach') owner.attach()
        if (each.do === 'restart') owner.restart()
        if (each.do === 'end') owner.end(each.failed ? 'failed' : 'finished', each.silently)
        if (each.do === 'refuse' && owner.refusals.length < 2) owner.refusals.push(new ChatError('unavailable'))
        if (each.do === 'wait') await new Promise((resolve) => setImmediate(resolve))
        if (each.do === 'drain') {
          reader.writable = true
          follower.pump()
        }
      }
      reader.slow = false
      reader.writable = true
      owner.refusals = []
      follower.pump()
      owner.end('finished')
      owner.other('of no interest')
      owner.flush()
      // Who has missed the end hears by the next move.
      owner.move(false)
      const end = await reader.finished()
      if (end.type === 'broken') {
        if (end.error.code !== 'reply_restarted') throw end.error
        // A position ahead of the text was never one of it.
        if (owner.attempt === 1 && from <= 10) throw new Error('it did not begin anew')
        return
      }
      if (end.type !== owner.ended || end.attempt !== owner.attempt) throw new Error('another end')
      const begins = owner.attempt === 1 ? from : 0
      if (reader.text_ !== owner.text.slice(begins)) throw new Error(`${JSON.stringify(reader.text_)} of ${JSON.stringify(owner.text)}`)
    }),
    { numRuns: 150 },
  )
})

t.test('a reply that began anew before anything was read of it is no fault', async (t) => {
  const owner = new Owner()
  const reader = new Appender()
  const follower = new TurnFollower({ service: owner, turn, reader })
  follower.start()
  await new Promise((resolve) => setImmediate(resolve))
  owner.begin()
  owner.restart()
  owner.write('Hello')
  owner.end('finished')
  owner.flush()
  t.match(await reader.finished(), { type: 'finished', attempt: 2, reason: 'stop', usage, model: 'm' })
  t.equal(reader.text_, 'Hello')
  t.same(reader.starts, [1, 1, 2])
  t.same(follower.position, { attempt: 2, offset: 5 })
})

t.test('who wants a reply as a whole gets the attempt that counts', async (t) => {
  const owner = new Owner()
  owner.begin()
  owner.write('void')
  const whole = wholeReply({ service: owner, turn }, new AbortController().signal)
  await new Promise((resolve) => setImmediate(resolve))
  owner.restart()
  owner.write('Hello')
  owner.end('finished')
  owner.flush()
  t.match(await whole, { text: 'Hello', end: { type: 'finished', attempt: 2 } })
})

t.test('who leaves hears nothing more, and is not kept', async (t) => {
  const owner = new Owner()
  const leaving = new AbortController()
  const left = wholeReply({ service: owner, turn }, leaving.signal)
  leaving.abort()
  t.equal(await left, null)
  t.equal(await wholeReply({ service: owner, turn }, leaving.signal), null)
  const reader = new Appender()
  const follower = new TurnFollower({ service: owner, turn, reader })
  follower.start()
  follower.close()
  await new Promise((resolve) => setImmediate(resolve))
  owner.move(false)
  owner.write('x')
  owner.end('finished')
  owner.flush()
  t.equal(reader.text_, '')
  t.equal(reader.end, null)
})

t.test('an owner that cannot be found is looked for as long as patience lasts, and a turn that is gone is not', async (t) => {
  let now = 0
  const owner = new Owner()
  owner.follow = async () => {
    now += 10_000
    throw new ChatError('moved')
  }
  const reader = new Appender()
  new TurnFollower({ service: owner, turn, reader, monotonic: () => now }).start()
  t.match(await reader.finished(), { type: 'broken', error: { code: 'moved' } })
  t.equal(now, 30_000)
  owner.follow = async () => {
    throw new ChatError('turn_not_found')
  }
  const other = new Appender()
  new TurnFollower({ service: owner, turn, reader: other }).start()
  t.match(await other.finished(), { type: 'broken', error: { code: 'turn_not_found' } })
})
