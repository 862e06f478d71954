/** The edges' end of the bus: grants, contexts and finishes for bridges, and the deltas that they send here. */
import { ChatError } from '../../protocol/errors.ts'
import type { BeginReply, BeginRequest, ContextRequest } from '../../protocol/bus/begin.ts'
import { decodeBeginRequest, decodeContextRequest, decodeDeltaBatch, decodeFinishRequest, encodeBus } from '../../protocol/bus/codec.ts'
import type { FinishReply, FinishRequest } from '../../protocol/bus/finish.ts'
import { beginSubject, busVersion, contextSubject, deltasSubject, edgesQueueGroup, finishSubject } from '../../protocol/bus/subjects.ts'
import type { Channel, ChannelMessage, Subscription } from '../../platform/bus/channel.ts'
import type { Logger } from '../../platform/logging/logger.ts'
import type { ConversationStore } from '../../storage/conversation-store.ts'
import { contextMessage, type ContextSource } from '../context/context-cache.ts'
import { contextPage, type ContextPath } from '../context/context-path.ts'
import type { Answer } from '../conversation/events.ts'
import { joinIds } from '../conversation/token-ids.ts'
import { patienceMs, type ConversationActor } from './actor.ts'
import type { ActorDirectory } from './directory.ts'
import type { StrayRuns } from './stray-runs.ts'

const retryMs = 1_000

export interface BusEndpointOptions {
  readonly channel: Channel
  readonly node: string
  readonly directory: ActorDirectory
  readonly store: ConversationStore
  readonly contexts: ContextSource
  readonly logger: Logger
  readonly now: () => number
  readonly actorOfTurn: (turnId: string) => ConversationActor | undefined
  readonly strays: StrayRuns
}

export class BusEndpoint {
  readonly #options: BusEndpointOptions
  #subscriptions: Subscription[] = []

  constructor(options: BusEndpointOptions) {
    this.#options = options
  }

  start(): void {
    const { channel, node } = this.#options
    if (this.#subscriptions.length > 0) return
    this.#subscriptions = [
      channel.subscribe(beginSubject, (message) => this.#answer(message, (bytes) => this.#begin(decodeBeginRequest(bytes))), { queue: edgesQueueGroup }),
      channel.subscribe(contextSubject, (message) => this.#answer(message, (bytes) => this.#context(decodeContextRequest(bytes))), { queue: edgesQueueGroup }),
      channel.subscribe(finishSubject, (message) => this.#answer(message, (bytes) => this.#finish(decodeFinishRequest(bytes))), { queue: edgesQueueGroup }),
      channel.subscribe(deltasSubject(node), (message) => this.#deltas(message)),
    ]
  }

  stop(): void {
    for (const subscription of this.#subscriptions) subscription.unsubscribe()
    this.#subscriptions = []
  }

  /** A request that cannot be read is logged and left without an answer: its sender is of another version, or no bridge. */
  #answer(message: ChannelMessage, handle: (bytes: Uint8Array) => Promise<Parameters<typeof encodeBus>[0]>): void {
    void (async () => {
      try {
        message.respond(encodeBus(await handle(message.payload)))
      } catch (error) {
        this.#options.logger.warn({ err: error, subject: message.subject }, 'bus request not answered')
      }
    })()
  }

  async #begin(request: BeginRequest): Promise<BeginReply> {
    const { directory, contexts, node, now } = this.#options
    const busy: BeginReply = { v: busVersion, type: 'busy', retry_ms: retryMs }
    let actor: ConversationActor
    let answer: Answer | undefined
    let path = null as ContextPath | null
    try {
      actor = await directory.get(request.conversation_id)
      answer = await actor.perform(
        async (key) => {
          const turn = actor.state.turns.find(({ turnId }) => turnId === request.turn_id)
          // Read before the grant: one whose context cannot be told would count against the turn.
          if (turn !== undefined && turn.state !== 'waiting') path = await contexts.path(request.conversation_id, turn)
          return { type: 'begin', key, now: now(), turnId: request.turn_id, bridge: request.bridge, defaultModel: request.default_model, fresh: request.fresh ?? false }
        },
        patienceMs,
      )
    } catch (error) {
      if (!(error instanceof ChatError)) throw error
      return error.code === 'conversation_not_found' ? { v: busVersion, type: 'gone' } : busy
    }
    switch (answer?.type) {
      case 'gone':
        return { v: busVersion, type: 'gone' }
      case 'busy':
        return { v: busVersion, type: 'busy', retry_ms: answer.retryMs }
      case 'granted': {
        const { turn } = answer
        if (path === null) return busy
        const { messages, more } = path
        return {
          v: busVersion,
          type: 'granted',
          run: turn.run,
          attempt: turn.attempt,
          edge: node,
          user_id: actor.state.userId,
          model: turn.model ?? request.default_model,
          params: turn.params,
          system: actor.state.system,
          messages: [...messages],
          more,
          deadline_at: turn.deadlineAt,
          resume: answer.resume ? { text: turn.text, token_ids: joinIds(turn.ids), model: turn.model ?? request.default_model } : null,
        }
      }
      default:
        return busy
    }
  }

  async #context(request: ContextRequest) {
    const path = await this.#options.store.path(request.conversation_id, { leaf: request.leaf, ...contextPage })
    return { v: busVersion, messages: path.messages.map(contextMessage), more: path.more }
  }

  async #finish(request: FinishRequest): Promise<FinishReply> {
    const { directory, store, now } = this.#options
    const busy: FinishReply = { v: busVersion, type: 'busy', retry_ms: retryMs }
    try {
      const actor = await directory.get(request.conversation_id)
      const answer = await actor.perform((key) => ({ type: 'finish', key, now: now(), request }))
      switch (answer?.type) {
        case 'confirmed':
        case 'abort':
          return { v: busVersion, type: answer.type }
        case 'gap':
          return { v: busVersion, type: 'gap', have: answer.have }
        case 'ask_store': {
          const turn = await store.turn(request.turn_id)
          const ended = turn !== null && (turn.state === 'finished' || turn.state === 'failed') && turn.run === request.run
          return { v: busVersion, type: ended ? 'confirmed' : 'abort' }
        }
        default:
          return busy
      }
    } catch (error) {
      if (!(error instanceof ChatError)) throw error
      return error.code === 'conversation_not_found' ? { v: busVersion, type: 'abort' } : busy
    }
  }

  #deltas(message: ChannelMessage): void {
    const { logger, now, actorOfTurn, strays } = this.#options
    let batch
    try {
      batch = decodeDeltaBatch(message.payload)
    } catch (error) {
      logger.warn({ err: error, subject: message.subject }, 'delta batch refused')
      return
    }
    const at = now()
    for (const [turnId, run, offset, text, idOffset, ids] of batch.items) {
      const actor = actorOfTurn(turnId)
      if (actor === undefined) strays.heard(batch.bridge, turnId, run)
      else actor.now({ type: 'delta', now: at, bridge: batch.bridge, turnId, run, offset, text, idOffset, ids })
    }
  }
}
