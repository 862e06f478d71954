/**
 * A model of everything around the state machine: rows with fencing and compare-and-set, bridges that die, deltas that are
 * lost, doubled and late, owners that die in mid-write.
 */
import type { ServerEvent } from '../../protocol/websocket/messages.ts'
import type { ConversationWrite, EndTurn, TurnRow, WriteResult as AnyResult } from '../../storage/conversation-store.ts'
import type { Answer, ConversationEvent, DurableEvent, Effect } from '../conversation/events.ts'
import { attachEffect } from '../conversation/progress.ts'
import { reduce } from '../conversation/reduce.ts'
import { type ConversationState } from '../conversation/state.ts'
import { turnFromRow } from '../conversation/turn.ts'
import { joinIds } from '../conversation/token-ids.ts'

type Write = Omit<ConversationWrite, 'conversationId' | 'token'>
type WriteResult = Exclude<AnyResult, { status: 'withdrawn' }>

interface Run {
  readonly bridge: string
  readonly turnId: string
  readonly run: number
  readonly attempt: number
  length: number
  sent: number
}

/** What a model says to a turn's attempt: every position can be told from every other, and so can attempts. */
export function reply(turnId: string, attempt: number, length: number): string {
  let text = ''
  for (let n = 0; text.length < length; n += 1) text += `${turnId}/${attempt}/${n} `
  return text.slice(0, length)
}

/** One id a code unit. */
function ids(from: number, to: number): Uint8Array {
  return new Uint8Array(new Uint32Array(Array.from({ length: to - from }, (_, n) => from + n)).buffer)
}

/** Owner, store, bridges and client of one conversation, each of which fails when it is told to. */
export class World {
  now = 1_000_000
  epoch = 1
  nextId = 1
  nextTurn = 1
  nextKey = 1
  readonly rows = new Map<string, { row: TurnRow; end: EndTurn | null }>()
  readonly jobs = new Set<string>()
  runs: Run[] = []
  late: Extract<ConversationEvent, { type: 'delta' }>[] = []
  owner: ConversationState = this.claim()
  readonly shown = new Map<string, { attempt: number; text: string; ended: number }>()
  readonly answers = new Map<number, Answer>()
  /** The owner dies before (1) or after (2) the next commit. */
  crash: 0 | 1 | 2 = 0
  /** What becomes of the next writes, instead of being made. */
  readonly failures: ('unwritten' | 'refused')[] = []
  /** The next commits of grants take long. */
  slow = 0
  /** One that is under way: deltas come meanwhile, and durable events wait for it. */
  pending: Write | null = null
  /** The grant under way is held, and may be taken back still. */
  held = false
  /** Every grant that was ever answered. */
  readonly grants = new Set<string>()
  /** Grants that were taken back for the end of their run. */
  mergers = 0

  claim(): ConversationState {
    const unfinished = [...this.rows.values()].filter(({ end }) => end === null).map(({ row }) => turnFromRow(row))
    unfinished.sort((a, b) => Number(a.state === 'waiting') - Number(b.state === 'waiting') || a.replyMessageId - b.replyMessageId)
    const leaf = Math.max(0, ...[...this.rows.values()].map(({ row }) => row.replyMessageId))
    return { conversationId: 1, userId: 'ann', title: 'T', model: null, system: null, updatedAt: 0, leaf: leaf || null, turns: unfinished, step: null }
  }

  /** The owner is gone; the next one claims, and its client opens the conversation again with what it shows. */
  replaceOwner(): void {
    this.epoch += 1
    this.pending = null
    this.owner = this.claim()
    this.late = []
    for (const turn of this.owner.turns) {
      const shown = this.shown.get(turn.turnId)
      // As `conversation.opened` tells: an owner that does not hold the text leaves the client's own standing.
      if (turn.state !== 'resuming' || (shown && shown.attempt !== turn.attempt)) this.shown.set(turn.turnId, { attempt: turn.attempt, text: '', ended: 0 })
      if (turn.state === 'queued') this.jobs.add(turn.turnId)
      if (turn.state === 'resuming') this.carryOut(attachEffect(turn))
    }
    // Ended while nobody looked: the stored reply comes with the messages.
    for (const [turnId, { end }] of this.rows) {
      if (end !== null) this.shown.set(turnId, { attempt: end.attempt, text: end.content, ended: 1 })
    }
  }

  write(write: Write): WriteResult {
    const { accept, begin } = write
    if (accept) {
      const known = [...this.rows.values()].find(({ row }) => row.clientMessageId === accept.clientMessageId)
      if (known) return { status: 'duplicate', turn: known.row }
    }
    for (const end of write.ends ?? []) {
      const entry = this.rows.get(end.turnId)
      if (!entry || entry.end !== null || entry.row.run !== (end.granted === undefined ? end.run : end.run - 1)) return { status: 'missed', turn: entry?.row ?? null }
    }
    if (begin) {
      const entry = this.rows.get(begin.turnId)
      if (!entry || entry.end !== null || (entry.row.run !== begin.run - 1 && !(entry.row.run === 0 && begin.run === 2))) return { status: 'missed', turn: entry?.row ?? null }
      entry.row = { ...entry.row, state: 'running', run: begin.run, attempt: begin.attempt, bridge: begin.bridge, barrenGrants: begin.barrenGrants }
    }
    for (const end of write.ends ?? []) {
      const entry = this.rows.get(end.turnId) as { row: TurnRow; end: EndTurn | null }
      entry.end = end
      entry.row = { ...entry.row, state: end.end.type, attempt: end.attempt, run: end.run, bridge: end.granted?.bridge ?? entry.row.bridge }
    }
    if (write.promote !== undefined) {
      const entry = this.rows.get(write.promote) as { row: TurnRow; end: EndTurn | null }
      entry.row = { ...entry.row, state: 'queued' }
    }
    if (!accept) return { status: 'committed' }
    const userMessageId = this.nextId++
    const replyMessageId = this.nextId++
    this.rows.set(accept.turnId, {
      end: null,
      row: {
        turnId: accept.turnId, conversationId: 1, userId: 'ann', clientMessageId: accept.clientMessageId, userMessageId, parentId: accept.user.parentId, replyMessageId,
        state: accept.state, attempt: 1, run: 0, bridge: null, barrenGrants: 0, lane: 'standard', model: null, params: {}, acceptedAt: accept.acceptedAt, startedAt: null, deadlineAt: accept.deadlineAt,
      },
    })
    return { status: 'committed', accepted: { userMessageId, replyMessageId } }
  }

  feed(event: ConversationEvent): void {
    const epoch = this.epoch
    const { state, effects } = reduce(this.owner, event)
    this.owner = state
    for (const effect of effects) {
      if (this.epoch !== epoch) return
      if (effect.type === 'write') {
        this.pending = effect.write
        this.held = effect.held === true
        if (effect.write.begin !== undefined && this.slow > 0) this.slow -= 1
        else this.commit()
      } else if (effect.type === 'askAbort') {
        const run = this.take(effect)
        this.feed({ type: 'aborted', now: this.now, text: run ? reply(run.turnId, run.attempt, run.sent) : null })
      } else this.carryOut([effect])
    }
  }

  /** What is under way has its outcome. */
  commit(): void {
    const { pending } = this
    if (pending === null) return
    this.pending = null
    if (this.crash === 1) return this.die()
    const failure = this.failures.pop()
    if (failure !== undefined) return this.feed(failure === 'unwritten' ? { type: 'unwritten' } : { type: 'written', now: this.now, result: { status: 'refused', sqlState: 'XX000' } })
    const result = this.write(pending)
    if (this.crash === 2) return this.die()
    this.feed({ type: 'written', now: this.now, result })
  }

  die(): void {
    this.crash = 0
    this.replaceOwner()
  }

  take({ bridge, turnId, run }: { bridge: string; turnId: string; run: number }): Run | undefined {
    const found = this.runs.find((each) => each.bridge === bridge && each.turnId === turnId && each.run === run)
    this.runs = this.runs.filter((each) => each !== found)
    return found
  }

  carryOut(effects: readonly Effect[]): void {
    for (const effect of effects) {
      switch (effect.type) {
        case 'answer':
          this.answers.set(effect.key, effect.answer)
          break
        case 'deleted':
          throw new Error('nobody has asked for that')
        case 'publish':
          this.jobs.add(effect.turn.turnId)
          break
        case 'abort':
          this.take(effect)
          break
        case 'attach': {
          const run = this.runs.find((each) => each.turnId === effect.turnId && each.run === effect.run && each.bridge === effect.bridge)
          if (run) run.sent = run.length
          const answer = run ? { text: reply(run.turnId, run.attempt, run.length).slice(effect.offset), ids: ids(effect.idOffset, Math.max(run.length, effect.idOffset)) } : null
          this.feed({ type: 'attached', now: this.now, turnId: effect.turnId, run: effect.run, offset: effect.offset, idOffset: effect.idOffset, answer })
          break
        }
        case 'show': {
          const shown = this.shown.get(effect.turnId)
          const turn = this.owner.turns.find((each) => each.turnId === effect.turnId)
          // Of a turn that was granted and ended by one commit all is shown at its end.
          const whole = turn?.text ?? effect.text
          // A feed sends what lies beyond the client's offset.
          if (shown && shown.attempt === effect.attempt) {
            if (shown.ended > 0) throw new Error('text after the end')
            if (!whole.startsWith(shown.text) && !shown.text.startsWith(whole)) throw new Error('what was shown is not what is held')
            if (whole.length > shown.text.length) shown.text = whole
          } else this.shown.set(effect.turnId, { attempt: effect.attempt, text: whole, ended: 0 })
          break
        }
        case 'emit':
          this.event(effect.event)
          break
        case 'deadLetter':
          if (this.rows.get(effect.letter.turnId)?.end?.end.type !== 'failed') throw new Error('a dead letter of a turn that did not fail')
          break
        case 'drop':
          this.replaceOwner()
          return
        case 'write':
        case 'askAbort':
          throw new Error('not durable')
      }
    }
  }

  event(event: ServerEvent): void {
    if (event.type === 'turn.started') {
      const shown = this.shown.get(event.turn_id)
      if (shown && event.attempt < shown.attempt) throw new Error('attempt fell')
      if (!shown || shown.attempt !== event.attempt) this.shown.set(event.turn_id, { attempt: event.attempt, text: '', ended: 0 })
    }
    if (event.type === 'turn.finished' || event.type === 'turn.failed') {
      const shown = this.shown.get(event.turn_id) ?? { attempt: event.attempt, text: '', ended: 0 }
      const text = shown.attempt === event.attempt ? shown.text : ''
      if (text.length !== event.end) throw new Error(`ended at ${event.end}, ${text.length} shown`)
      if (shown.ended > 0) throw new Error('ended twice')
      this.shown.set(event.turn_id, { attempt: event.attempt, text, ended: 1 })
    }
  }

  durable(make: (key: number) => DurableEvent): Answer | undefined {
    this.commit()
    const key = this.nextKey++
    this.feed(make(key))
    return this.answers.get(key)
  }

  /** As durable, but for a grant that is held still: it is taken back, and the turn's end written with it. */
  finished(make: (key: number) => Extract<DurableEvent, { type: 'finish' }>): Answer | undefined {
    const grant = this.pending?.begin
    const key = this.nextKey++
    const finish = make(key)
    if (!this.held || grant?.turnId !== finish.request.turn_id) return this.durable(() => finish)
    this.pending = null
    this.mergers += 1
    this.feed({ type: 'withdrawn', finish })
    this.commit()
    return this.answers.get(key)
  }

  accept(interrupts: boolean, repeat: boolean): void {
    const n = repeat ? Math.max(1, this.nextTurn - 1) : this.nextTurn++
    this.durable((key) => ({
      type: 'accept', key, now: this.now, turnId: repeat ? `again${this.nextKey}` : `t${n}`, clientMessageId: `c${n}`, commandHash: new Uint8Array(32), interrupts,
      user: { type: 'new', content: 'hi', parentId: undefined }, lane: 'standard', traceparent: null, model: null, params: {}, deadlineAt: this.now + 3_600_000,
    }))
  }

  begin(bridge: string, fresh: boolean): void {
    const [turnId] = this.jobs
    if (turnId === undefined) return
    this.jobs.delete(turnId)
    const answer = this.durable((key) => ({ type: 'begin', key, now: this.now, turnId, bridge, defaultModel: 'm', fresh }))
    if (answer?.type === 'gone') return
    this.jobs.add(turnId)
    if (answer?.type !== 'granted') return
    const { turn } = answer
    const grant = `${turnId} ${turn.run}`
    if (this.grants.has(grant)) throw new Error('two grants of one number')
    this.grants.add(grant)
    if (turn.text !== reply(turnId, turn.attempt, turn.text.length)) throw new Error('granted to go on from another text')
    if (turn.text !== '' && joinIds(turn.ids).byteLength !== turn.text.length * 4) throw new Error('ids and text say different things')
    this.runs.push({ bridge, turnId, run: turn.run, attempt: turn.attempt, length: turn.text.length, sent: turn.text.length })
  }

  generate(n: number, more: number, fate: 'arrives' | 'lost' | 'late' | 'doubled'): void {
    const run = this.runs[n % Math.max(1, this.runs.length)]
    if (!run) return
    const from = run.sent
    run.length += more
    run.sent = run.length
    const text = reply(run.turnId, run.attempt, run.length).slice(from)
    const event: Extract<ConversationEvent, { type: 'delta' }> = { type: 'delta', now: this.now, bridge: run.bridge, turnId: run.turnId, run: run.run, offset: from, text, idOffset: from, ids: ids(from, run.length) }
    if (fate === 'late') this.late.push(event)
    if (fate === 'arrives' || fate === 'doubled') this.feed(event)
    if (fate === 'doubled') this.feed(event)
  }

  finish(n: number, failed: boolean, again: number): void {
    const run = this.runs[n % Math.max(1, this.runs.length)]
    if (!run) return
    // Some of what was sent may be sent again.
    let offset = Math.max(0, run.sent - again)
    for (let tries = 0; tries < 3; tries += 1) {
      const answer = this.finished((key) => ({
        type: 'finish', key, now: this.now,
        request: {
          v: 1, turn_id: run.turnId, conversation_id: 1, bridge: run.bridge, run: run.run, offset, text: reply(run.turnId, run.attempt, run.length).slice(offset),
          outcome: failed ? { type: 'failed', error: { code: 'engine_rejected', message: 'no', retryable: false } } : { type: 'finished', reason: 'stop' }, usage: null, model: 'm', cached: false, cost_usd: null,
        },
      }))
      if (answer?.type === 'gap') {
        offset = answer.have
        continue
      }
      if (answer?.type === 'confirmed') this.jobs.delete(run.turnId)
      if (answer?.type === 'ask_store') {
        const entry = this.rows.get(run.turnId)
        if (entry?.end?.run === run.run) this.jobs.delete(run.turnId)
      }
      if (answer === undefined || answer.type === 'busy') return
      this.take(run)
      return
    }
  }

  /** Lets everything come to its end. */
  settle(): void {
    this.crash = 0
    this.slow = 0
    this.commit()
    this.failures.length = 0
    for (let rounds = 0; [...this.rows.values()].some(({ end }) => end === null); rounds += 1) {
      if (rounds > 200) throw new Error(`unfinished for ever: ${JSON.stringify(this.owner)}`)
      this.now += 3_000
      for (const turn of this.owner.turns) if (turn.state !== 'waiting') this.jobs.add(turn.turnId)
      this.begin('healthy', false)
      this.generate(this.runs.length - 1, 5, 'arrives')
      this.finish(this.runs.length - 1, false, 0)
    }
  }
}
