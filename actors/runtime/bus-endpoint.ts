/**
 * The edges' end of the bus: grants, contexts and finishes for bridges, and the deltas that they send here. A bridge asks
 * the owner's edge where it knows it, else any: that one passes the request on to the owner.
 */
import { ChatError } from '../../protocol/errors.ts'
import { bucketOfId, bucketOfTurn } from '../../protocol/ids.ts'
import type { BeginReply, BeginRequest, ContextRequest } from '../../protocol/bus/begin.ts'
import { decodeBeginReply, decodeBeginRequest, decodeContextRequest, decodeFinishReply, decodeFinishRequest, encodeBus } from '../../protocol/bus/codec.ts'
import type { FinishReply, FinishRequest } from '../../protocol/bus/finish.ts'
import type { BusMessage } from '../../protocol/bus/messages.ts'
import { beginSubject, beginSubjectOf, busVersion, contextSubject, deltasSubject, edgesQueueGroup, finishSubject, finishSubjectOf } from '../../protocol/bus/subjects.ts'
import type { Channel, ChannelMessage, Subscription } from '../../platform/bus/channel.ts'
import type { Refusals } from '../../platform/bus/refusals.ts'
import type { ConversationStore } from '../../storage/conversation-store.ts'
import { contextMessage, type ContextSource } from '../context/context-cache.ts'
import { contextPage, type ContextPath } from '../context/context-path.ts'
import type { Answer } from '../conversation/events.ts'
import { rules } from '../conversation/rules.ts'
import { joinIds } from '../conversation/token-ids.ts'
import { askOwner } from '../placement/ask-owner.ts'
import type { Placement } from '../placement/placement.ts'
import { Superseded } from '../placement/superseded.ts'
import { patienceMs, type ConversationActor } from './actor.ts'
import type { DeltaIntake } from './delta-intake.ts'
import type { TurnTraces } from './turn-traces.ts'

const retryMs = 1_000
/** Less than bridges wait for an answer. */
const placeWithinMs = 4_000
const ownerAnswersWithinMs = 3_000
/** Who lost the bus together come back to it one after another, each up to a second later: until then nobody answers for a bridge that is there. */
const othersReturnWithinMs = 2_000

/** Whether a request came to this edge by its name, or to any. */
type Asked = 'this edge' | 'any edge'

const busy = { v: busVersion, type: 'busy', retry_ms: retryMs } as const

export interface BusEndpointOptions {
  readonly channel: Channel
  readonly node: string
  readonly placement: Pick<Placement, 'run'>
  readonly store: ConversationStore
  readonly contexts: ContextSource
  readonly refusals: Refusals
  readonly deltas: Pick<DeltaIntake, 'receive'>
  readonly traces: TurnTraces
  readonly now: () => number
  /** Milliseconds. */
  readonly monotonic: () => number
}

export class BusEndpoint {
  readonly #options: BusEndpointOptions
  #subscriptions: Subscription[] = []
  #unwatchBus: (() => void) | null = null
  /** When the bus came back here. */
  #returnedAt = -Infinity

  constructor(options: BusEndpointOptions) {
    this.#options = options
  }

  start(): void {
    const { channel, node, deltas, monotonic } = this.#options
    if (this.#subscriptions.length > 0) return
    this.#unwatchBus = channel.onStatus((status) => {
      if (status === 'connected') this.#returnedAt = monotonic()
    })
    const answer = (subject: string, handle: (bytes: Uint8Array) => Promise<BusMessage>, options?: { readonly queue: string }): Subscription =>
      channel.subscribe(subject, (message) => this.#answer(message, handle), options)
    const begin = (bytes: Uint8Array, asked: Asked): Promise<BusMessage> => this.#begin(decodeBeginRequest(bytes), asked)
    const finish = (bytes: Uint8Array, asked: Asked): Promise<BusMessage> => this.#finish(decodeFinishRequest(bytes), asked)
    const anyEdge = { queue: edgesQueueGroup }
    this.#subscriptions = [
      answer(beginSubject, (bytes) => begin(bytes, 'any edge'), anyEdge),
      answer(beginSubjectOf(node), (bytes) => begin(bytes, 'this edge')),
      answer(contextSubject, (bytes) => this.#context(decodeContextRequest(bytes)), anyEdge),
      answer(finishSubject, (bytes) => finish(bytes, 'any edge'), anyEdge),
      answer(finishSubjectOf(node), (bytes) => finish(bytes, 'this edge')),
      channel.subscribe(deltasSubject(node), (message) => deltas.receive(message)),
    ]
  }

  stop(): void {
    for (const subscription of this.#subscriptions) subscription.unsubscribe()
    this.#subscriptions = []
    this.#unwatchBus?.()
  }

  /** A request that cannot be read is logged and left without an answer: its sender is of another version, or no bridge. */
  #answer(message: ChannelMessage, handle: (bytes: Uint8Array) => Promise<BusMessage>): void {
    void (async () => {
      try {
        message.respond(encodeBus(await handle(message.payload)))
      } catch (error) {
        this.#options.refusals.failed(message.subject, error)
      }
    })()
  }

  /** The turn cannot be of this conversation, which is not claimed for it. */
  #isOfAnother(subject: string, { turn_id, conversation_id, bridge }: BeginRequest | FinishRequest): boolean {
    if (bucketOfTurn(turn_id) === bucketOfId(conversation_id)) return false
    this.#options.refusals.refused({ subject, kind: 'of another conversation', sender: bridge, reason: 'the turn is not of the conversation that is named with it' })
    return true
  }

  async #begin(request: BeginRequest, asked: Asked): Promise<BeginReply> {
    const { placement } = this.#options
    if (this.#isOfAnother(beginSubject, request)) return { v: busVersion, type: 'gone' }
    try {
      return await placement.run(
        request.conversation_id,
        (actor) => this.#beginHere(actor, request),
        (node) => this.#passOn(node, asked, beginSubjectOf(node), request, decodeBeginReply),
        { within: placeWithinMs },
      )
    } catch (error) {
      if (!(error instanceof ChatError)) throw error
      return error.code === 'conversation_not_found' ? { v: busVersion, type: 'gone' } : busy
    }
  }

  #passOn<Reply>(node: string, asked: Asked, subject: string, request: BusMessage, decode: (bytes: Uint8Array) => Reply): Promise<Reply> {
    // It would come back here as well.
    if (asked === 'this edge' && node === this.#options.node) return Promise.reject(new Superseded(node))
    return askOwner(this.#options.channel, subject, request, decode, ownerAnswersWithinMs)
  }

  async #beginHere(actor: ConversationActor, request: BeginRequest): Promise<BeginReply> {
    // Text that this owner does not hold yet is not given up before its bridge was asked for it now, when the bus works.
    const resumes = actor.state.turns.find(({ turnId }) => turnId === request.turn_id)?.state === 'resuming'
    if (resumes && !(await actor.isGeneratedStill(request.turn_id)) && this.#options.monotonic() - this.#returnedAt < othersReturnWithinMs) {
      return { ...busy, retry_ms: rules.resumingRetryMs }
    }
    let { answer, path } = await this.#ask(actor, request)
    // The job would not be back if the bridge of the run had it still, or had not let go of it: that one tells.
    if (answer?.type === 'busy' && !resumes && !(await actor.isGeneratedStill(request.turn_id))) ({ answer, path } = await this.#ask(actor, request))
    switch (answer?.type) {
      case 'gone':
        return { v: busVersion, type: 'gone' }
      case 'busy':
        return { v: busVersion, type: 'busy', retry_ms: answer.retryMs }
      case 'granted': {
        const { turn } = answer
        if (path === null) return busy
        const { messages, more } = path
        this.#options.traces.granted(turn.turnId)
        return {
          v: busVersion,
          type: 'granted',
          run: turn.run,
          attempt: turn.attempt,
          edge: this.#options.node,
          user_id: actor.state.userId,
          model: turn.model ?? request.default_model,
          params: turn.params,
          system: actor.state.system,
          messages: [...messages],
          more,
          deadline_at: turn.deadlineAt,
          resume: answer.resume ? { text: turn.text, token_ids: joinIds(turn.ids), model: turn.model ?? request.default_model } : null,
          ...(turn.traceparent === null ? {} : { traceparent: turn.traceparent }),
        }
      }
      default:
        return busy
    }
  }

  async #ask(actor: ConversationActor, request: BeginRequest): Promise<{ readonly answer: Answer | undefined; readonly path: ContextPath | null }> {
    const { contexts, now } = this.#options
    let path = null as ContextPath | null
    const answer = await actor.perform(async (key) => {
      const turn = actor.state.turns.find(({ turnId }) => turnId === request.turn_id)
      // Read before the grant: one whose context cannot be told would count against the turn.
      if (turn !== undefined && turn.state !== 'waiting') path = await contexts.path(request.conversation_id, turn)
      return { type: 'begin', key, now: now(), turnId: request.turn_id, bridge: request.bridge, defaultModel: request.default_model, fresh: request.fresh ?? false }
    }, patienceMs)
    return { answer, path }
  }

  async #context(request: ContextRequest): Promise<BusMessage> {
    const path = await this.#options.store.path(request.conversation_id, { leaf: request.leaf, ...contextPage })
    return { v: busVersion, messages: path.messages.map(contextMessage), more: path.more }
  }

  async #finish(request: FinishRequest, asked: Asked): Promise<FinishReply> {
    const { placement } = this.#options
    if (this.#isOfAnother(finishSubject, request)) return { v: busVersion, type: 'abort' }
    try {
      return await placement.run(
        request.conversation_id,
        (actor) => this.#finishHere(actor, request),
        (node) => this.#passOn(node, asked, finishSubjectOf(node), request, decodeFinishReply),
        { within: placeWithinMs },
      )
    } catch (error) {
      if (!(error instanceof ChatError)) throw error
      return error.code === 'conversation_not_found' ? { v: busVersion, type: 'abort' } : busy
    }
  }

  async #finishHere(actor: ConversationActor, request: FinishRequest): Promise<FinishReply> {
    const { store, now } = this.#options
    const answer = await actor.finish(request, now())
    switch (answer?.type) {
      case 'confirmed':
      case 'abort':
        return { v: busVersion, type: answer.type }
      case 'gap':
        return { v: busVersion, type: 'gap', have: answer.have }
      case 'ask_store': {
        const turn = await store.turn(request.turn_id)
        const ended = turn !== null && (turn.state === 'finished' || turn.state === 'failed') && turn.run === request.run && turn.conversationId === request.conversation_id
        return { v: busVersion, type: ended ? 'confirmed' : 'abort' }
      }
      default:
        return busy
    }
  }
}
