/**
 * One conversation's actor: feeds events to the state machine and carries its effects out. Durable events run through
 * the mailbox, each with its commit; text comes in at any time.
 */
import { ChatError } from '../../protocol/errors.ts'
import type { ControlReply } from '../../protocol/bus/control.ts'
import type { DeltaItem } from '../../protocol/bus/deltas.ts'
import type { FinishRequest } from '../../protocol/bus/finish.ts'
import type { DeadLetter } from '../../platform/bus/dead-letters.ts'
import type { ConversationRow, ConversationStore, EndTurn, MakeConversation, OwnerToken, TurnRow } from '../../storage/conversation-store.ts'
import type { ContextSource } from '../context/context-cache.ts'
import type { Answer, ConversationEvent, DurableEvent, Effect, FinishEvent } from '../conversation/events.ts'
import { attachEffect } from '../conversation/progress.ts'
import { GatheredText } from '../conversation/gathered-text.ts'
import { reduce } from '../conversation/reduce.ts'
import type { ConversationState } from '../conversation/state.ts'
import { rules } from '../conversation/rules.ts'
import { turnFromRow, type Turn } from '../conversation/turn.ts'
import type { EndedTurn } from '../limits/turn-accounts.ts'
import { Feed, type FeedOwner, type FeedSchedule } from '../feed/feed.ts'
import { attach, isGeneratedStill, lastWord } from './attaching.ts'
import type { BridgeRequest } from './bridge-control.ts'
import { claimAnew } from './claim-anew.ts'
import { HeldGrant } from './held-grant.ts'
import { Mailbox } from './mailbox.ts'

/** Sends, edits and grants are refused after this long without Postgres; ends wait. */
export const patienceMs = 2_000
const mailboxCapacity = 64

/** What an actor needs of its process. */
export interface ActorHost {
  readonly store: ConversationStore
  readonly contexts: ContextSource
  readonly now: () => number
  readonly feeds: FeedSchedule
  publish(turn: Turn, conversationId: number): void
  /** `nobody`: no bridge has that name. Null: no answer came. */
  control(bridge: string, request: BridgeRequest, timeoutMs: number): Promise<ControlReply | 'nobody' | null>
  /** Tells the bridge to stop the run; nobody waits for it. */
  abort(bridge: string, turnId: string, run: number): void
  /** Its turn's end is committed, and the letter with it. */
  deadLetter(letter: DeadLetter): void
  activated(actor: ConversationActor): void
  /** The commit that made its conversation is done: from now on others may ask for it. */
  made(actor: ConversationActor): void
  turnAdded(turnId: string, actor: ConversationActor): void
  turnRemoved(turnId: string): void
  /** Its end is committed. */
  turnEnded(turn: EndedTurn): void
  /** The conversation is another's now. */
  dropped(actor: ConversationActor): void
  fault(message: string, error: unknown, conversationId: number): void
  /** Waits before Postgres is tried again; rejects when the process stops. */
  pause(attempt: number): Promise<void>
}

export class ConversationActor implements FeedOwner {
  readonly conversationId: number
  readonly feed: Feed
  readonly #host: ActorHost
  readonly #mailbox = new Mailbox(mailboxCapacity)
  /** Null where nobody waits: most conversations rest, and an empty map is as large as all else here. */
  #waiting: Map<number, (answer: Answer) => void> | null = null
  /** Unfinished turns that are written to their end, whether anybody listens or not. */
  #kept: Set<string> | null = null
  /** Without what is gathered: `state` has both. */
  #current: ConversationState
  #gathered: GatheredText | null = null
  #heldGrant: HeldGrant | null = null
  #token: OwnerToken
  /** Until the conversation is made, by its first write. */
  #toMake: MakeConversation | null
  #nextKey = 1
  #dropped = false
  #idleSince: number
  #unheardSince: number

  /** `toMake`: the conversation is not there yet, and its first write makes it. */
  constructor(host: ActorHost, token: OwnerToken, conversation: Omit<ConversationRow, 'createdAt'>, unfinished: readonly TurnRow[], toMake: MakeConversation | null = null) {
    this.#host = host
    this.#token = token
    this.#toMake = toMake
    this.conversationId = conversation.conversationId
    this.feed = new Feed(conversation.conversationId, host.feeds, this)
    this.#idleSince = this.#unheardSince = host.now()
    // A run is taken to live until its bridge was asked: else its job could be granted anew before the answer.
    const turns = unfinished.map(turnFromRow).map((turn) => (turn.state === 'resuming' ? { ...turn, heardAt: host.now() } : turn)).sort((a, b) => Number(a.state === 'waiting') - Number(b.state === 'waiting') || a.replyMessageId - b.replyMessageId)
    this.#current = {
      conversationId: conversation.conversationId,
      userId: conversation.userId,
      title: conversation.title,
      model: conversation.model,
      system: conversation.system,
      updatedAt: conversation.updatedAt,
      leaf: conversation.lastMessageId,
      turns,
      step: null,
    }
  }

  /** Takes up what the owner before left: publishes what is queued, attaches to what runs. */
  activate(): void {
    this.#host.activated(this)
    for (const turn of this.state.turns) {
      this.#host.turnAdded(turn.turnId, this)
      if (turn.state === 'queued') this.#host.publish(turn, this.conversationId)
      if (turn.state === 'resuming') for (const effect of attachEffect(turn)) this.#carryOut(effect)
    }
  }

  get state(): ConversationState {
    const delta = this.#gathered?.join() ?? null
    // Its effect, to show the text, was had as it came.
    if (delta !== null) this.#current = reduce(this.#current, delta).state
    return this.#current
  }

  /** A turn, perhaps without what came of it last: cheap, for those who look at all turns again and again. */
  glance(turnId: string): Turn | undefined {
    return this.#current.turns.find((turn) => turn.turnId === turnId)
  }

  get token(): OwnerToken {
    return this.#token
  }

  /** There is such a conversation. */
  get isMade(): boolean {
    return this.#toMake === null
  }

  /** Another owner has the conversation, or nobody. */
  get isDropped(): boolean {
    return this.#dropped
  }

  get isIdle(): boolean {
    return this.#mailbox.idle && !this.feed.hasAudience && this.state.turns.length === 0
  }

  /** When it was used last. */
  get idleSince(): number {
    return this.#idleSince
  }

  /** How long nobody has had it open, in milliseconds; since it is here at most. */
  get unheardMs(): number {
    return this.feed.hasAudience ? 0 : this.#host.now() - this.#unheardSince
  }

  /** One of those who had it open, a client or another edge, has not any more. */
  left(): void {
    this.#unheardSince = this.#host.now()
    this.touch()
  }

  /** Of an unfinished turn: it is not to be stopped for want of listeners. The next owner does not know. */
  keep(turnId: string): void {
    if (this.state.turns.some((turn) => turn.turnId === turnId)) (this.#kept ??= new Set()).add(turnId)
  }

  keeps(turnId: string): boolean {
    return this.#kept?.has(turnId) === true
  }

  /** It was used just now. */
  touch(): void {
    this.#idleSince = this.#host.now()
  }

  /** Whether a run of the turn was heard of a moment ago. */
  hears(turnId: string): boolean {
    const turn = this.state.turns.find((each) => each.turnId === turnId)
    return turn !== undefined && turn.run > 0 && this.#host.now() - turn.heardAt < rules.runSilenceMs
  }

  /** Whether a durable event would be refused at once. */
  get isFull(): boolean {
    return this.#mailbox.full
  }

  /** Runs alone, between durable events: what `read` finds in the store and `take` in the state belongs together. Rejects with `moved` where the actor was dropped meanwhile. */
  exclusively<T, U>(read: () => Promise<T>, take: (found: T) => U, patience?: number): Promise<U> {
    this.#heldGrant?.hold.release()
    return this.#mailbox.run(async () => {
      const found = await read()
      if (this.#dropped) throw new ChatError('moved')
      return take(found)
    }, patience)
  }

  /** Resolves with the event's answer as soon as there is one; with undefined where it has none. Rejects with `moved` where the actor was dropped before. */
  perform(makeEvent: (key: number) => DurableEvent | Promise<DurableEvent>, patience?: number): Promise<Answer | undefined> {
    this.#heldGrant?.hold.release()
    const key = this.#nextKey++
    return this.#answered(key, async () => this.#apply(await makeEvent(key)), patience)
  }

  /** As `perform`. Where the run's grant waits for its commit still, it is granted and ended by one. */
  finish(request: FinishRequest, now: number): Promise<Answer | undefined> {
    const key = this.#nextKey++
    const event: FinishEvent = { type: 'finish', key, now, request }
    // The step in hand goes on with it then, and this is done after that.
    const isTaken = !this.#mailbox.hasWaiting && this.#heldGrant?.endsWith(event) === true
    if (!isTaken) this.#heldGrant?.hold.release()
    return this.#answered(key, async () => (isTaken ? undefined : this.#apply(event)))
  }

  #answered(key: number, task: () => Promise<void>, patience?: number): Promise<Answer | undefined> {
    return new Promise((resolve, reject) => {
      ;(this.#waiting ??= new Map()).set(key, resolve)
      this.#mailbox
        .run(task, patience)
        // A step that another owner's claim cut off has no answer of its own.
        .then(() => (this.#dropped ? reject(new ChatError('moved')) : resolve(undefined)), reject)
        .finally(() => this.#forgetWaiting(key))
    })
  }

  /** Text of a run came. */
  hear(bridge: string, item: DeltaItem, now: number): void {
    if (this.#dropped) return
    if (this.#gathered?.take(bridge, item, now) === true) {
      if (item[3] !== '') this.feed.show(this.#gathered.turnId, this.#gathered.attempt, item[3])
      return
    }
    // What it says waits for the commit.
    this.#heldGrant?.hold.release()
    const [turnId, run, offset, text, idOffset, ids] = item
    this.now({ type: 'delta', now, bridge, turnId, run, offset, text, idOffset, ids })
    this.#gathered = GatheredText.after(this.#current, { turnId, bridge, run })
  }

  /** An event that needs no commit. */
  now(event: Extract<ConversationEvent, { type: 'delta' | 'attached' | 'released' | 'cut' }>): void {
    if (this.#dropped) return
    for (const effect of this.#reduce(event)) this.#carryOut(effect)
  }

  /** Lets the command in hand end, refuses the others with `moved`, then drops. */
  async retire(): Promise<void> {
    await this.#mailbox.close('moved')
    this.drop()
  }

  /** Ends this actor: what waits is refused with `moved`, and subscribers are told to open the conversation again. */
  drop(): void {
    if (this.#dropped) return
    this.#dropped = true
    for (const turn of this.state.turns) this.#host.turnRemoved(turn.turnId)
    void this.#mailbox.close('moved')
    this.#host.dropped(this)
    this.feed.moved()
  }

  /** Text that follows may belong elsewhere: it is looked at anew. */
  #reduce(event: ConversationEvent): readonly Effect[] {
    const { state, effects } = reduce(this.state, event)
    this.#current = state
    this.#gathered = null
    return effects
  }

  async #apply(event: ConversationEvent): Promise<void> {
    // Another actor may hold the conversation's turns by now.
    if (this.#dropped) return
    const before = this.state.turns
    const effects = this.#reduce(event)
    const after = this.#current.turns
    if (after !== before) this.#indexTurns(before, after)
    for (const effect of effects) {
      if (this.#dropped) return
      switch (effect.type) {
        case 'write':
          await this.#apply(await this.#write(effect))
          break
        case 'askAbort':
          await this.#apply(await lastWord(this.#host, effect))
          break
        case 'deleted':
          this.feed.flush()
          this.drop()
          break
        case 'drop':
          this.drop()
          break
        default:
          this.#carryOut(effect)
      }
    }
    this.touch()
  }

  async #write(effect: Extract<Effect, { type: 'write' }>): Promise<ConversationEvent> {
    try {
      const write = { conversationId: this.conversationId, token: this.#token, ...effect.write, ...(this.#toMake === null ? {} : { make: this.#toMake }) }
      const held = effect.held === true && write.begin !== undefined ? new HeldGrant(write.begin.turnId) : null
      this.#heldGrant = held
      const result = await this.#host.store.write(write, { ...(effect.refusable ? { giveUpAfterMs: patienceMs } : {}), ...(held === null ? {} : { hold: held.hold }) })
      this.#heldGrant = null
      if (result.status === 'withdrawn') return (held as HeldGrant).withdrawn
      this.#host.contexts.committed(this.conversationId, this.state.turns, write, result)
      if (result.status === 'committed') {
        this.#tellMade()
        for (const end of write.ends ?? []) this.#tellEnd(end)
        // Its turns have ended with it.
        if (write.remove === true) for (const { turnId } of this.state.turns) this.#tellEnd({ turnId, usage: null, cached: false })
      }
      if (result.status === 'refused') this.#host.fault('Postgres refused a row', new Error(`SQLSTATE ${result.sqlState}`), this.conversationId)
      return { type: 'written', now: this.#host.now(), result }
    } catch (error) {
      const away = error instanceof ChatError && error.code === 'unavailable'
      if (!away) this.#host.fault('write failed', error, this.conversationId)
      const settled = await this.#settle()
      // What fails with Postgres there would fail again: the turn must not wait for its deadline because of it.
      return away || settled.type !== 'unwritten' ? settled : { type: 'written', now: this.#host.now(), result: { status: 'refused', sqlState: 'XX000' } }
    }
  }

  #tellMade(): void {
    if (this.#toMake === null) return
    this.#toMake = null
    if (!this.#dropped) this.#host.made(this)
  }

  #tellEnd({ turnId, usage, cached }: Pick<EndTurn, 'turnId' | 'usage' | 'cached'>): void {
    const { step, turns, userId } = this.state
    const turn = step?.type === 'ending' && step.ended.turn.turnId === turnId ? step.ended.turn : turns.find((each) => each.turnId === turnId)
    if (turn === undefined) return
    this.#host.turnEnded({ userId, conversationId: this.conversationId, clientMessageId: turn.clientMessageId, usage, tokens: turn.ids.count, cached })
  }

  /** Who waits for a write that was given up is answered long before it is settled: that only holds the next event back. */
  async #settle(): Promise<ConversationEvent> {
    const { step } = this.state
    if (step?.type === 'accepting' || step?.type === 'renaming' || step?.type === 'deleting') this.#answer(step.event.key, { type: 'error', code: 'unavailable' })
    const token = await claimAnew(this, this.#host)
    if (token === null) return { type: 'written', now: this.#host.now(), result: { status: 'stale' } }
    this.#token = token
    return { type: 'unwritten' }
  }

  #carryOut(effect: Effect): void {
    switch (effect.type) {
      case 'answer':
        this.#answer(effect.key, effect.answer)
        break
      case 'publish':
        this.#host.publish(effect.turn, this.conversationId)
        break
      case 'emit':
        this.feed.emit(effect.event)
        break
      case 'show':
        this.feed.show(effect.turnId, effect.attempt, effect.text)
        break
      case 'abort':
        this.#host.abort(effect.bridge, effect.turnId, effect.run)
        break
      case 'deadLetter':
        this.#host.deadLetter(effect.letter)
        break
      case 'attach':
        void attach(this, this.#host, effect).catch(() => undefined)
        break
      case 'write':
      case 'askAbort':
      case 'deleted':
      case 'drop':
        throw new Error(`${effect.type} follows a durable event only`)
    }
  }

  /** Asks the bridge of a turn's run whether it holds that still, and takes what it has. True also where it does not answer. */
  isGeneratedStill(turnId: string): Promise<boolean> {
    return isGeneratedStill(this, this.#host, turnId)
  }

  #answer(key: number, answer: Answer): void {
    const waiting = this.#waiting?.get(key)
    this.#forgetWaiting(key)
    waiting?.(answer)
  }

  #forgetWaiting(key: number): void {
    this.#waiting?.delete(key)
    if (this.#waiting?.size === 0) this.#waiting = null
  }

  #indexTurns(before: readonly Turn[], after: readonly Turn[]): void {
    for (const { turnId } of before) {
      if (after.some((other) => other.turnId === turnId)) continue
      this.#kept?.delete(turnId)
      this.#host.turnRemoved(turnId)
    }
    for (const turn of after) if (!before.some((other) => other.turnId === turn.turnId)) this.#host.turnAdded(turn.turnId, this)
  }
}
