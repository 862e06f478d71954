/** The actor runtime of one edge process: a service, and the door to its conversations. */
import { setMaxListeners } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import type { ControlReply } from '../../protocol/bus/control.ts'
import type { Channel } from '../../platform/bus/channel.ts'
import type { DeadLetter, DeadLetters } from '../../platform/bus/dead-letters.ts'
import type { JobQueue } from '../../platform/bus/job-queue.ts'
import { Refusals } from '../../platform/bus/refusals.ts'
import type { Clock } from '../../platform/clock.ts'
import type { Service } from '../../platform/lifecycle/service.ts'
import type { Logger } from '../../platform/logging/logger.ts'
import { noTracer, type Tracer } from '../../platform/tracing/tracer.ts'
import type { ConversationStore } from '../../storage/conversation-store.ts'
import { storedContexts, type ContextSource } from '../context/context-cache.ts'
import type { ConversationService } from '../conversation-service.ts'
import type { Turn } from '../conversation/turn.ts'
import { Flusher } from '../feed/flusher.ts'
import { Followers } from '../following/followers.ts'
import { Mirrors } from '../following/mirrors.ts'
import { ForwardedCommands } from '../forwarding/forwarded-commands.ts'
import { Forwarding } from '../forwarding/forwarding.ts'
import { DeadLetterOutbox } from '../jobs/dead-letter-outbox.ts'
import { Deadlines } from '../jobs/deadlines.ts'
import { JobPublisher } from '../jobs/publisher.ts'
import { Purger } from '../jobs/purger.ts'
import { RetryEndpoint } from '../jobs/retry-endpoint.ts'
import { Sweeper } from '../jobs/sweeper.ts'
import type { EndedTurn } from '../limits/turn-accounts.ts'
import { Placement } from '../placement/placement.ts'
import { TakenNotices } from '../placement/taken-notices.ts'
import { Aborts } from './aborts.ts'
import { ActiveTurns } from './active-turns.ts'
import type { ActorHost, ConversationActor } from './actor.ts'
import { askBridge, type BridgeRequest } from './bridge-control.ts'
import { BusEndpoint } from './bus-endpoint.ts'
import { Conversations } from './conversations.ts'
import { DeltaIntake } from './delta-intake.ts'
import { ActorDirectory } from './directory.ts'
import { LocalConversations } from './local-conversations.ts'
import { OwnedConversations } from './owned-conversations.ts'
import { OwnershipCheck } from './ownership-check.ts'
import { RunWatch, silentAfterMs } from './run-watch.ts'
import { StrayRuns } from './stray-runs.ts'
import { TurnTraces } from './turn-traces.ts'

export interface ConversationRuntimeOptions {
  readonly store: ConversationStore
  readonly channel: Channel
  readonly jobQueue: JobQueue
  readonly deadLetters: DeadLetters
  /** Name of this edge on the bus. */
  readonly node: string
  readonly logger: Logger
  readonly clock: Clock
  /** From accept to the end of a turn. */
  readonly turnDeadlineMs: number
  /** Where turns' contexts come from; the store where absent. */
  readonly contexts?: ContextSource
  readonly maxActors?: number
  /** Of turns; none where absent. */
  readonly tracer?: Tracer
  /** The end of a turn is committed. */
  readonly onTurnEnded?: (turn: EndedTurn) => void
  /** Whether this process could not renew its sign of life for 4 s: on some shard, or on that of this conversation. */
  readonly lapsed: (conversationId?: number) => boolean
}

export interface ConversationRuntime extends Service {
  readonly service: ConversationService
  /** Drops the conversations that another process owns by now: for when this one may have been taken for dead. */
  checkOwnership(): Promise<void>
  /** For metrics. */
  counts(): { readonly actors: number; readonly turns: number; readonly mirrors: number; readonly followers: number }
}

const defaultMaxActors = 100_000
const abortAnswerMs = 1_000

export function createConversationRuntime(options: ConversationRuntimeOptions): ConversationRuntime {
  return new Runtime(options)
}

class Runtime implements ConversationRuntime, ActorHost {
  readonly name = 'conversation runtime'
  readonly service: ConversationService
  readonly store: ConversationStore
  readonly contexts: ContextSource
  readonly feeds: Flusher
  readonly #options: ConversationRuntimeOptions
  readonly #directory: ActorDirectory
  readonly #publisher: JobPublisher
  readonly #sweeper: Sweeper
  readonly #deadlines: Deadlines
  readonly #outbox: DeadLetterOutbox
  readonly #purger: Purger
  readonly #aborts: Aborts
  readonly #endpoint: BusEndpoint
  readonly #retries: RetryEndpoint
  readonly #ownership: OwnershipCheck
  readonly #mirrors: Mirrors
  readonly #followers: Followers
  readonly #forwarded: ForwardedCommands
  readonly #taken: TakenNotices
  readonly #turns = new ActiveTurns()
  readonly #traces: TurnTraces
  readonly #watch = new RunWatch({ silent: () => this.#turns.silentSince(this.now() - silentAfterMs) })
  readonly #stopping = new AbortController()
  #unwatchBus: () => void = () => undefined
  #stopped: Promise<void> | null = null

  constructor(options: ConversationRuntimeOptions) {
    this.#options = options
    this.#traces = new TurnTraces(options.tracer ?? noTracer)
    this.store = options.store
    this.contexts = options.contexts ?? storedContexts(options.store)
    const { store, logger, clock, channel, node } = options
    const actorOfTurn = this.#turns.actorOf
    const monotonic = (): number => clock.monotonic()
    const refusals = new Refusals({ logger, monotonic })
    // Every wait for an owner listens.
    setMaxListeners(0, this.#stopping.signal)
    this.feeds = new Flusher(monotonic, () => this.#ownership.holds)
    this.#directory = new ActorDirectory({ host: this, store, maxActors: options.maxActors ?? defaultMaxActors })
    const placement = new Placement({ directory: this.#directory, monotonic, signal: this.#stopping.signal, onTaken: (from, conversationId) => this.#taken.tell(from, conversationId) })
    this.#taken = new TakenNotices({ channel, node, refusals, check: (ids) => this.#suspect(ids) })
    this.#publisher = new JobPublisher({ queue: options.jobQueue, logger, monotonic, areWaiting: () => this.#turns.areQueued(), onLost: () => this.#publishAgain(), onPositions: (positionOf) => this.#turns.tellPositions(positionOf) })
    this.#sweeper = new Sweeper({
      store,
      node,
      logger,
      now: this.now,
      monotonic,
      hears: (turnId) => actorOfTurn(turnId)?.hears(turnId) === true,
      republish: ({ lane, turnId, conversationId }) => this.#publisher.publish({ lane, turnId, conversationId }, false),
      expire: async (turn) => {
        const actor = await this.#directory.get(turn.conversationId)
        await actor.perform(() => ({ type: 'expire', now: this.now(), turnId: turn.turnId }))
      },
    })
    this.#deadlines = new Deadlines({
      logger,
      overdue: () => this.#turns.overdue(this.now()),
      expire: async (turnId) => void (await actorOfTurn(turnId)?.perform(() => ({ type: 'expire', now: this.now(), turnId }))),
    })
    this.#purger = new Purger({ store, logger })
    this.#outbox = new DeadLetterOutbox({ store, deadLetters: options.deadLetters, logger, now: this.now })
    this.#aborts = new Aborts({ monotonic, send: (bridge, turnId, run) => void this.control(bridge, { type: 'abort', turnId, run }, abortAnswerMs) })
    const abort = (bridge: string, turnId: string, run: number): void => this.abort(bridge, turnId, run)
    const strays = new StrayRuns({
      store,
      now: monotonic,
      abort,
      activate: async (conversationId) => void (await this.#directory.get(conversationId)),
      fault: (error, turnId) => logger.debug({ err: error, turn: turnId }, 'a stray run was not looked up'),
    })
    const deltas = new DeltaIntake({ now: this.now, actorOfTurn, strays, refusals, abort })
    this.#endpoint = new BusEndpoint({ traces: this.#traces, channel, node, placement, store, contexts: this.contexts, refusals, deltas, now: this.now, monotonic })
    this.#mirrors = new Mirrors({ channel, node, refusals, feeds: this.feeds, monotonic })
    this.#ownership = new OwnershipCheck({ store, channel, logger, monotonic, actors: () => this.#directory.active(), lapsed: options.lapsed, onPause: () => this.#mirrors.endAll() })
    const local = new LocalConversations({ store, now: this.now, turnDeadlineMs: options.turnDeadlineMs, traces: this.#traces, confirm: (actor) => this.#ownership.confirm(actor) })
    const owned = new OwnedConversations({ store, node, directory: this.#directory, local, actorOfTurn })
    this.#followers = new Followers({ channel, node, refusals, monotonic, open: (request, take) => owned.open(request, take) })
    this.#forwarded = new ForwardedCommands({ channel, node, refusals, perform: (userId, command, origin) => owned.perform(userId, command, origin) })
    const conversations = new Conversations({ store, directory: this.#directory, placement, local, mirrors: this.#mirrors, forwarding: new Forwarding(channel), actorOfTurn, load: () => this.#publisher.load })
    this.service = conversations
    this.#retries = new RetryEndpoint({ channel, store, refusals, retry: (userId, command, origin) => conversations.retry(userId, command, origin) })
  }

  readonly now = (): number => this.#options.clock.now()

  start(): Promise<void> {
    this.#directory.start()
    this.#endpoint.start()
    this.#retries.start()
    this.#followers.start()
    this.#forwarded.start()
    this.#taken.start()
    this.#mirrors.start()
    this.#publisher.start()
    this.#sweeper.start()
    this.#deadlines.start()
    this.#watch.start()
    this.#outbox.start()
    this.#purger.start()
    this.#unwatchBus = this.#options.channel.onStatus((status) => {
      if (status !== 'connected') return
      this.#publisher.retry()
      this.#publishAgain()
      void this.#outbox.sendAll()
    })
    this.#ownership.start()
    return Promise.resolve()
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#stop()
    return this.#stopped
  }

  async #stop(): Promise<void> {
    this.#endpoint.stop()
    this.#retries.stop()
    this.#forwarded.stop()
    this.#taken.stop()
    this.#followers.stopListening()
    this.#unwatchBus()
    this.#publisher.stop()
    this.#watch.stop()
    this.#stopping.abort()
    await this.#sweeper.stop()
    await this.#deadlines.stop()
    await this.#outbox.stop()
    await this.#purger.stop()
    await this.#ownership.stop()
    await this.#directory.close()
    // After the actors: their last word to other edges is that they are gone.
    this.#followers.stop()
    this.#mirrors.stop()
    this.feeds.close()
  }

  async checkOwnership(): Promise<void> {
    await this.#ownership.check()
  }

  counts(): { readonly actors: number; readonly turns: number; readonly mirrors: number; readonly followers: number } {
    return { actors: this.#directory.size, turns: this.#turns.size, mirrors: this.#mirrors.count, followers: this.#followers.count }
  }

  publish(turn: Turn, conversationId: number): void {
    this.#publisher.publish({ lane: turn.lane, turnId: turn.turnId, conversationId, edge: this.#options.node }, true)
  }

  /** Those of before may be lost, as the bus holds them in memory; one that is not is not doubled. */
  #publishAgain(): void {
    for (const [turn, actor] of this.#turns.queued()) this.publish(turn, actor.conversationId)
    this.#sweeper.jobsLost()
  }

  control(bridge: string, request: BridgeRequest, timeoutMs: number): Promise<ControlReply | 'nobody' | null> {
    return askBridge(this.#options.channel, this.#options.node, bridge, request, timeoutMs)
  }

  abort(bridge: string, turnId: string, run: number): void {
    this.#aborts.tell(bridge, turnId, run)
  }

  deadLetter(letter: DeadLetter): void {
    this.#outbox.send(letter)
  }

  activated(actor: ConversationActor): void {
    this.#mirrors.endOf(actor.conversationId)
  }

  made(actor: ConversationActor): void {
    this.#directory.made(actor)
  }

  turnAdded(turnId: string, actor: ConversationActor): void {
    this.#turns.add(turnId, actor)
  }

  turnRemoved(turnId: string): void {
    this.#turns.remove(turnId)
    this.#traces.end(turnId)
    this.#publisher.forget(turnId)
  }

  turnEnded(turn: EndedTurn): void {
    this.#options.onTurnEnded?.(turn)
  }

  dropped(actor: ConversationActor): void {
    this.#directory.forget(actor)
  }

  fault(message: string, error: unknown, conversationId: number): void {
    this.#options.logger.error({ err: error, conversation: conversationId }, message)
  }

  pause(attempt: number): Promise<void> {
    const ceilingMs = Math.min(2_000, 100 * 2 ** Math.min(attempt, 10))
    return delay(ceilingMs * (0.5 + Math.random() / 2), undefined, { signal: this.#stopping.signal })
  }

  #suspect(conversationIds: readonly number[]): void {
    void this.#ownership.suspect(conversationIds.flatMap((id) => this.#directory.peek(id) ?? []))
  }
}
