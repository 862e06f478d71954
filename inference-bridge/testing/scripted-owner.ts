/**
 * The edges' side of the bus, as far as a bridge sees it: grants turns, collects their deltas by the rules of the
 * protocol, and confirms their ends. Everything out of order is a violation, which tests look at.
 */
import { decodeBeginRequest, decodeContextRequest, decodeControlReply, decodeDeltaBatch, decodeFinishRequest, encodeBus } from '../../protocol/bus/codec.ts'
import type { BeginGranted, BeginReply, BeginRequest, ContextMessage } from '../../protocol/bus/begin.ts'
import type { ControlReply, ControlRequest } from '../../protocol/bus/control.ts'
import type { FinishReply, FinishRequest } from '../../protocol/bus/finish.ts'
import { beginSubject, busVersion, contextSubject, controlSubject, deltasSubject, edgesQueueGroup, finishSubject } from '../../protocol/bus/subjects.ts'
import { tokenIdsFromBytes } from '../../protocol/bus/token-ids.ts'
import { newTurnId } from '../../protocol/ids.ts'
import type { Params } from '../../protocol/websocket/fields.ts'
import type { Channel, Subscription } from '../../platform/bus/channel.ts'
import type { JobQueue, Lane } from '../../platform/bus/job-queue.ts'

export interface ScriptedTurn {
  readonly turnId: string
  readonly conversationId: number
  readonly messages: readonly ContextMessage[]
  readonly params: Params
  readonly system: string | null
  readonly model: string | null
  readonly deadlineAt: number
  run: number
  attempt: number
  bridge: string | null
  text: string
  ids: number[]
  /** Texts of attempts that were given up. */
  readonly dropped: string[]
  readonly grants: BeginGranted[]
  readonly finishes: FinishRequest[]
  ended: FinishRequest | null
  /** Items by kind, and when the last came. */
  deltas: number
  beats: number
}

export interface NewTurn {
  readonly question?: string
  readonly history?: readonly { readonly user: string; readonly reply: string | null }[]
  readonly params?: Params
  readonly system?: string
  readonly model?: string
  readonly deadlineMs?: number
  readonly lane?: Lane
  /** What an earlier run has shown. */
  readonly resume?: { readonly text: string; readonly ids: readonly number[]; readonly model?: string }
}

export interface OwnerScript {
  /** Instead of the grant; null to leave the request unanswered, undefined for the usual. */
  begin?: (turn: ScriptedTurn, request: BeginRequest) => BeginReply | null | undefined
  finish?: (turn: ScriptedTurn, request: FinishRequest) => FinishReply | null | undefined
  /** Deltas for which it says true are lost. */
  lose?: (turn: ScriptedTurn) => boolean
  /** Messages of a page of context. */
  pageSize?: number
}

const bucket = 7

export class ScriptedOwner {
  readonly violations: string[] = []
  readonly script: OwnerScript
  readonly turns = new Map<string, ScriptedTurn>()
  contextRequests = 0
  readonly #channel: Channel
  readonly #queue: JobQueue
  readonly #edge: string
  readonly #subscriptions: Subscription[] = []
  readonly #resumeModels = new Map<string, string>()
  #watchers: { readonly condition: () => boolean; readonly resolve: () => void }[] = []
  #sequence = 0

  constructor(options: { readonly channel: Channel; readonly queue: JobQueue; readonly edge?: string; readonly script?: OwnerScript }) {
    this.#channel = options.channel
    this.#queue = options.queue
    this.#edge = options.edge ?? 'edge-1'
    this.script = options.script ?? {}
    const answer = (subject: string, handle: (payload: Uint8Array) => Parameters<typeof encodeBus>[0] | null): void => {
      this.#subscriptions.push(
        this.#channel.subscribe(
          subject,
          (message) => {
            const reply = handle(message.payload)
            if (reply !== null) message.respond(encodeBus(reply))
            this.#notify()
          },
          { queue: edgesQueueGroup },
        ),
      )
    }
    answer(beginSubject, (payload) => this.#begin(decodeBeginRequest(payload)))
    answer(finishSubject, (payload) => this.#finish(decodeFinishRequest(payload)))
    answer(contextSubject, (payload) => {
      const request = decodeContextRequest(payload)
      this.contextRequests += 1
      const messages = [...this.turns.values()].find((turn) => turn.conversationId === request.conversation_id)?.messages ?? []
      return { v: busVersion, ...this.#page(messages, messages.findIndex(({ message_id }) => message_id === request.leaf) + 1) }
    })
    this.#subscriptions.push(this.#channel.subscribe(deltasSubject(this.#edge), (message) => this.#deltas(message.payload)))
  }

  /** Accepts a turn and publishes its job. */
  async send(given: NewTurn = {}): Promise<ScriptedTurn> {
    const turn = this.accept(given)
    await this.publish(turn, given.lane)
    return turn
  }

  /** Accepts a turn without a job: another owner may have published it. */
  accept(given: NewTurn = {}): ScriptedTurn {
    this.#sequence += 1
    const messages: ContextMessage[] = []
    const add = (role: 'user' | 'assistant', content: string): void => {
      messages.push({ message_id: (this.#sequence * 10_000 + messages.length + 1) * 1024 + bucket, role, content })
    }
    for (const { user, reply } of given.history ?? []) {
      add('user', user)
      if (reply !== null) add('assistant', reply)
    }
    add('user', given.question ?? `question ${this.#sequence}`)
    const turn: ScriptedTurn = {
      turnId: newTurnId(bucket),
      conversationId: this.#sequence * 1024 + bucket,
      messages,
      params: given.params ?? {},
      system: given.system ?? null,
      model: given.model ?? null,
      deadlineAt: Date.now() + (given.deadlineMs ?? 60_000),
      run: given.resume === undefined ? 0 : 1,
      attempt: 1,
      bridge: given.resume === undefined ? null : 'earlier',
      text: given.resume?.text ?? '',
      ids: [...(given.resume?.ids ?? [])],
      dropped: [],
      grants: [],
      finishes: [],
      ended: null,
      deltas: 0,
      beats: 0,
    }
    if (given.resume?.model !== undefined) this.#resumeModels.set(turn.turnId, given.resume.model)
    this.turns.set(turn.turnId, turn)
    return turn
  }

  async publish(turn: ScriptedTurn, lane: Lane = 'standard'): Promise<void> {
    await this.#queue.publish({ lane, turnId: turn.turnId, conversationId: turn.conversationId })
  }

  /** Resolves when the condition holds; it is looked at after every message. */
  until(condition: () => boolean): Promise<void> {
    if (condition()) return Promise.resolve()
    return new Promise((resolve) => {
      this.#watchers.push({ condition, resolve })
    })
  }

  ended(turn: ScriptedTurn): Promise<void> {
    return this.until(() => turn.ended !== null)
  }

  async control(bridge: string, request: ControlRequest): Promise<ControlReply> {
    return decodeControlReply(await this.#channel.request(controlSubject(bridge), encodeBus(request), { timeoutMs: 5000 }))
  }

  abort(turn: ScriptedTurn, bridge = turn.bridge ?? ''): Promise<ControlReply> {
    return this.control(bridge, { v: busVersion, type: 'abort', turn_id: turn.turnId, run: turn.run })
  }

  attach(turn: ScriptedTurn, edge = this.#edge): Promise<ControlReply> {
    return this.control(turn.bridge ?? '', { v: busVersion, type: 'attach', turn_id: turn.turnId, run: turn.run, edge, offset: turn.text.length, id_offset: turn.ids.length })
  }

  /** Adds the answer to `attach`. */
  replay(turn: ScriptedTurn, reply: ControlReply): void {
    if (reply.type !== 'attached') throw new Error(`not attached: ${reply.type}`)
    turn.text += reply.text
    turn.ids.push(...tokenIdsFromBytes(reply.token_ids))
  }

  /** The depth of all lanes: 0 when every job was acked. */
  async jobsLeft(): Promise<number> {
    const depths = await Promise.all((['premium', 'standard', 'batch'] as const).map((lane) => this.#queue.depth(lane)))
    return depths.reduce((sum, { waiting, delivered }) => sum + waiting + delivered, 0)
  }

  close(): void {
    for (const subscription of this.#subscriptions) subscription.unsubscribe()
  }

  #begin(request: BeginRequest): BeginReply | null {
    const turn = this.turns.get(request.turn_id)
    if (turn === undefined || turn.ended !== null) return { v: busVersion, type: 'gone' }
    const scripted = this.script.begin?.(turn, request)
    if (scripted !== undefined) return scripted
    if (request.fresh === true && turn.bridge === request.bridge) {
      turn.dropped.push(turn.text)
      turn.text = ''
      turn.ids = []
      turn.attempt += 1
    }
    turn.run += 1
    turn.bridge = request.bridge
    const model = turn.model ?? request.default_model
    const tokenIds = new Uint8Array(Uint32Array.from(turn.ids).buffer)
    const granted: BeginGranted = {
      v: busVersion,
      type: 'granted',
      run: turn.run,
      attempt: turn.attempt,
      edge: this.#edge,
      user_id: 'user',
      model,
      params: turn.params,
      system: turn.system,
      ...this.#page(turn.messages, turn.messages.length),
      deadline_at: turn.deadlineAt,
      resume: turn.text === '' && turn.ids.length === 0 ? null : { text: turn.text, token_ids: tokenIds, model: this.#resumeModels.get(turn.turnId) ?? model },
    }
    turn.grants.push(granted)
    return granted
  }

  #page(messages: readonly ContextMessage[], end: number): { messages: ContextMessage[]; more: number | null } {
    const start = Math.max(0, end - (this.script.pageSize ?? 1000))
    return { messages: messages.slice(start, end), more: messages[start - 1]?.message_id ?? null }
  }

  #finish(request: FinishRequest): FinishReply | null {
    const turn = this.turns.get(request.turn_id)
    if (turn === undefined) return { v: busVersion, type: 'abort' }
    turn.finishes.push(request)
    const scripted = this.script.finish?.(turn, request)
    if (scripted !== undefined) return scripted
    if (request.run !== turn.run) return { v: busVersion, type: 'abort' }
    if (turn.ended !== null) return { v: busVersion, type: 'confirmed' }
    if (request.offset > turn.text.length) return { v: busVersion, type: 'gap', have: turn.text.length }
    if (!(turn.text.slice(request.offset) + request.text).startsWith(request.text.slice(0, turn.text.length - request.offset))) this.violations.push('the finish says something else than the deltas')
    turn.text += request.text.slice(turn.text.length - request.offset)
    turn.ended = request
    return { v: busVersion, type: 'confirmed' }
  }

  #deltas(payload: Uint8Array): void {
    const batch = decodeDeltaBatch(payload)
    for (const [turnId, run, offset, text, idOffset, tokenIds] of batch.items) {
      const turn = this.turns.get(turnId)
      if (turn === undefined || run !== turn.run) continue
      if (this.script.lose?.(turn) === true) continue
      if (turn.ended !== null) {
        if (text !== '') this.violations.push('text after the end')
        continue
      }
      if (text === '' && tokenIds.byteLength === 0) turn.beats += 1
      else turn.deltas += 1
      if (offset !== turn.text.length || idOffset !== turn.ids.length) {
        if (this.script.lose === undefined) this.violations.push(`at ${offset}/${idOffset}, and ${turn.text.length}/${turn.ids.length} are held`)
        continue
      }
      if (!text.isWellFormed()) this.violations.push('a delta ends inside a surrogate pair')
      turn.text += text
      turn.ids.push(...tokenIdsFromBytes(tokenIds))
    }
    this.#notify()
  }

  #notify(): void {
    this.#watchers = this.#watchers.filter(({ condition, resolve }) => {
      if (!condition()) return true
      resolve()
      return false
    })
  }
}
