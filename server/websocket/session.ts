/**
 * One client's connection, from the handshake to its end.
 *
 * expecting hello: the first command must be hello, within 10 s.
 * greeting: the credentials are being looked at; commands that came along with hello wait.
 * open: commands are answered, each exactly once.
 * leaving: the server drains; new commands are refused, and the connection closes (1012) once all others are answered.
 * closed: whatever is still under way ends unseen.
 *
 * A client whose conversation went to another process is sent `conversation.closed` unasked, and opens it again from its
 * cursor.
 */
import { randomUUID } from 'node:crypto'
import { ChatError } from '../../protocol/errors.ts'
import type { ConnectionLimits } from '../../protocol/websocket/commands/hello.ts'
import { decodeCommand } from '../../protocol/websocket/codec.ts'
import type { CloseCode } from '../../protocol/websocket/close-codes.ts'
import type { Load } from '../../protocol/websocket/fields.ts'
import { commands, type CommandOf, type Reply, type ServerEvent } from '../../protocol/websocket/messages.ts'
import type { LimitMetrics } from '../../platform/limits/limit-metrics.ts'
import type { Plan } from '../../platform/limits/plan.ts'
import type { ConversationService } from '../../actors/conversation-service.ts'
import type { Tracer } from '../../platform/tracing/tracer.ts'
import type { Logger } from '../../platform/logging/logger.ts'
import { nobody, type Authenticator, type Identity } from '../auth/authenticator.ts'
import { actingUser, missingPermission } from '../auth/authorization.ts'
import type { EdgeMetrics } from '../edge-metrics.ts'
import { errorReply, isOrdered, perform, type DirectCommand, type OrderedCommand } from './commands.ts'
import type { Connection, ConnectionOwner } from './connection.ts'
import { FrameRate } from './frame-rate.ts'
import { OpenConversations } from './open-conversations.ts'

export interface SessionContext {
  readonly service: ConversationService
  readonly authenticator: Authenticator
  readonly node: string
  readonly limits: ConnectionLimits
  readonly logger: Logger
  readonly metrics: EdgeMetrics
  readonly tracer: Tracer
  readonly limitMetrics: LimitMetrics
  monotonic(): number
  /** Milliseconds since the epoch. */
  now(): number
  load(): Load
  /** The limits of whoever this is, as `userId`. */
  planOf(identity: Identity, userId: string): Plan
  /** False where the user has `most` connections already. */
  join(session: Session, userId: string, most: number): boolean
  /** These are the session's credentials from now on. */
  identified(session: Session, identity: Identity): void
  blocked(session: Session): void
  unblocked(session: Session): void
}

/** What is known of a client before its hello. */
export interface Handshaken {
  /** As `addressKey` gives it. */
  readonly address: string
  /** Of the handshake's headers. */
  readonly token: string | undefined
  /** Of the handshake's address. */
  readonly ticket: string | undefined
}

type Ref = string | number | undefined
type Stage = 'expecting hello' | 'greeting' | 'open' | 'leaving' | 'closed'

export class Session implements ConnectionOwner {
  readonly connection: Connection
  readonly #context: SessionContext
  readonly #client: Handshaken
  readonly #conversations: OpenConversations
  readonly #rate: FrameRate
  #stage: Stage = 'expecting hello'
  #userId = ''
  #identity: Identity = nobody
  /** Commands whose reply is not on its way yet. */
  #unanswered = 0
  /** Came before the welcome. */
  #early: (DirectCommand | OrderedCommand)[] = []
  #ordered: OrderedCommand[] = []
  #orderedRuns = false
  #loadUntold = false

  constructor(context: SessionContext, client: Handshaken, connect: (owner: ConnectionOwner) => Connection) {
    this.#context = context
    this.#client = client
    this.connection = connect(this)
    this.#rate = new FrameRate(context.limits.frames_per_second, context.monotonic())
    this.#conversations = new OpenConversations(context, this.connection)
  }

  /** One frame. Its bytes are valid only until this returns. */
  receive(data: Uint8Array, isBinary: boolean): void {
    if (this.#stage === 'closed') return
    const verdict = this.#rate.take(this.monotonic())
    if (verdict !== 'allowed') this.#context.limitMetrics.refused('frames_per_second')
    if (verdict === 'abuse') return this.#fail(undefined, new ChatError('rate_limited'))
    const decoded = decodeCommand(this.connection.subprotocol, data, isBinary)
    const ref = decoded.ok ? decoded.command.ref : decoded.ref
    if (!decoded.ok && (decoded.error.code === 'bad_frame' || decoded.error.code === 'frame_too_big')) return this.#fail(ref, decoded.error)
    if (this.#unanswered >= this.#context.limits.unanswered_commands) {
      // Replies that wait for the network are bounded too: who sends on without taking them is too slow.
      if (!this.connection.writable) return this.#fail(ref, new ChatError('too_slow'))
      this.#unanswered += 1
      return this.#refuse(ref, new ChatError('too_many_commands'))
    }
    this.#unanswered += 1
    if (verdict === 'refused') return this.#refuse(ref, new ChatError('rate_limited', undefined, { retryAfterMs: this.#rate.retryAfterMs }))
    if (!decoded.ok) {
      const isOther = this.#stage === 'expecting hello' && decoded.error.code === 'unknown_type'
      return isOther ? this.#fail(ref, new ChatError('hello_expected')) : this.#refuse(ref, decoded.error, decoded.pointer)
    }
    const { command } = decoded
    if (command.type === 'hello') return this.#hello(command)
    switch (this.#stage) {
      case 'expecting hello':
        return this.#fail(ref, new ChatError('hello_expected'))
      case 'greeting':
        this.#early.push(command)
        return
      case 'open':
        return this.#take(command)
      case 'leaving':
        return this.#refuse(ref, new ChatError('draining'))
    }
  }

  /** A ping of the WebSocket protocol, which the library has answered: it counts as a frame. */
  receivedPing(): void {
    if (this.#stage !== 'closed' && this.#rate.take(this.monotonic()) === 'abuse') this.#fail(undefined, new ChatError('rate_limited'))
  }

  /** Within a handler of the library, which corks: so afterwards nobody knows yet what was left unsent. */
  handled(): void {
    this.connection.checkUnsent()
  }

  monotonic(): number {
    return this.#context.monotonic()
  }

  blocked(): void {
    this.#context.metrics.blocked()
    this.#context.blocked(this)
  }

  unblocked(): void {
    this.#context.unblocked(this)
    if (this.#loadUntold) this.tellLoad(undefined)
    this.#runOrdered()
    this.connection.cork(() => this.#guard(() => this.#conversations.pump()))
  }

  sentFrame(): void {
    this.#context.metrics.frameOut()
  }

  /** `frame`: `server.load`, encoded for this subprotocol, so that it is done once for all. A blocked connection is told later. */
  tellLoad(frame: string | Uint8Array | undefined): void {
    if (this.#stage !== 'open') return
    if (!this.connection.writable) {
      this.#loadUntold = true
      return
    }
    this.#loadUntold = false
    if (frame !== undefined) this.connection.send(frame)
    else this.connection.reply({ type: 'server.load', ...this.#context.load() })
  }

  /** The server drains: the client is to connect elsewhere after this time. */
  tellDraining(reconnectAfterMs: number): void {
    if (this.#stage === 'open') this.connection.reply({ type: 'server.draining', reconnect_after_ms: reconnectAfterMs } satisfies ServerEvent)
  }

  /** Closes with 1012 once every command is answered; at once where there is none. */
  leave(): void {
    if (this.#stage === 'closed') return
    this.#stage = 'leaving'
    const early = this.#early
    this.#early = []
    for (const { ref } of early) this.#refuse(ref, new ChatError('draining'))
    this.#leaveIfAnswered()
  }

  tellExpiring(expiresAt: number): void {
    if (this.#stage === 'open') this.connection.reply({ type: 'auth.expiring', expires_at: new Date(expiresAt).toISOString() } satisfies ServerEvent)
  }

  credentialsEnded(): void {
    if (this.#stage !== 'closed') this.#fail(undefined, new ChatError('unauthenticated', 'The credentials hold no longer.'))
  }

  helloTimedOut(): void {
    if (this.#stage === 'expecting hello' || this.#stage === 'greeting') this.#fail(undefined, new ChatError('hello_timeout'))
  }

  close(code: CloseCode, reason: string): void {
    this.connection.close(code, reason)
    this.closed()
  }

  /** The socket is gone, for whatever reason. */
  closed(): void {
    if (this.#stage === 'closed') return
    this.#stage = 'closed'
    this.#early = []
    this.#ordered = []
    this.connection.closed()
    this.#guard(() => this.#conversations.closeAll())
  }

  #hello(command: CommandOf<'hello'>): void {
    if (this.#stage !== 'expecting hello') return this.#refuse(command.ref, new ChatError(this.#stage === 'leaving' ? 'draining' : 'hello_repeated'))
    this.#stage = 'greeting'
    void this.#settle(
      command.ref,
      async () => this.#identify(command.token ?? this.#client.token, command.user_id),
      (known) => this.#welcome(command.ref, known),
      // Also where it is our mishap: commands that follow would find no user.
      (error) => this.#fail(command.ref, error),
    )
  }

  async #identify(token: string | undefined, named: string | undefined): Promise<{ readonly identity: Identity; readonly userId: string }> {
    const { authenticator } = this.#context
    const { ticket, address } = this.#client
    const identity = await authenticator.authenticate({ token, ticket, address })
    const userId = actingUser(identity, named)
    if (userId !== null) return { identity, userId }
    if (authenticator.isRequired) throw new ChatError('forbidden', 'The credentials are no user\'s own: name one.')
    return { identity, userId: randomUUID() }
  }

  #welcome(ref: Ref, { identity, userId }: { readonly identity: Identity; readonly userId: string }): void {
    const { limits, node } = this.#context
    if (this.#stage !== 'greeting') return this.#refuse(ref, new ChatError('draining'))
    const plan = this.#context.planOf(identity, userId)
    this.#userId = userId
    this.#identity = identity
    if (!this.#context.join(this, userId, plan.sockets)) return this.#fail(ref, new ChatError('too_many_connections'))
    this.#context.identified(this, identity)
    this.#stage = 'open'
    this.#answer(ref, { type: 'welcome', session_id: randomUUID(), user_id: userId, node_id: node, ...expiry(identity), limits: { plan: plan.name, ...limits, ...toldOf(plan) }, load: this.#context.load() })
    const early = this.#early
    this.#early = []
    for (const command of early) this.#take(command)
  }

  #take(command: DirectCommand | OrderedCommand): void {
    this.#context.metrics.command(command.type)
    const missing = missingPermission(this.#identity, commands[command.type].permission)
    if (missing !== null) return this.#refuse(command.ref, missing)
    if (isOrdered(command)) {
      this.#ordered.push(command)
      this.#runOrdered()
      return
    }
    void this.#settle(
      command.ref,
      async () => (command.type === 'auth.refresh' ? this.#refresh(command) : command.type === 'pace.set' ? this.#setPace(command) : this.#perform(command)),
      (reply) => this.#answer(command.ref, reply),
    )
  }

  #setPace({ pace }: CommandOf<'pace.set'>): Reply {
    this.connection.cork(() => this.#conversations.setPace(pace))
    return { type: 'pace.changed', pace }
  }

  async #refresh(command: CommandOf<'auth.refresh'>): Promise<Reply> {
    const { identity } = await this.#identify(command.token, this.#userId)
    this.#identity = identity
    this.#context.identified(this, identity)
    return { type: 'auth.refreshed', ...expiry(identity) }
  }

  async #perform(command: Parameters<typeof perform>[2]): Promise<Reply> {
    const { service, tracer } = this.#context
    const span = tracer.span(`websocket ${command.type}`, null, 'server')
    const { traceparent } = span
    try {
      const reply = await perform(service, this.#userId, command, { identity: this.#identity, ...(traceparent === null ? {} : { traceparent }) })
      span.end()
      return reply
    } catch (error) {
      span.end({}, error instanceof ChatError ? error.code : 'internal')
      throw error
    }
  }

  #runOrdered(): void {
    if (this.#orderedRuns || !this.connection.writable) return
    const command = this.#ordered.shift()
    if (command === undefined) return
    // An array keeps the room that it once grew to, and most connections rest.
    if (this.#ordered.length === 0) this.#ordered = []
    this.#orderedRuns = true
    const next = (): void => {
      this.#orderedRuns = false
      this.#runOrdered()
    }
    void this.#performOrdered(command).then(next)
  }

  #performOrdered(command: OrderedCommand): Promise<void> {
    const { ref } = command
    const conversations = this.#conversations
    switch (command.type) {
      case 'conversation.open':
        return this.#settle(ref, async () => conversations.open(this.#userId, command), ({ opened, start }) => this.#answer(ref, opened, start))
      case 'conversation.close':
        return this.#settle(
          ref,
          async (): Promise<Reply> => {
            if (!conversations.close(command.conversation_id)) throw new ChatError('conversation_not_open')
            return { type: 'conversation.closed', conversation_id: command.conversation_id }
          },
          (reply) => this.#answer(ref, reply),
        )
      default:
        return this.#settle(ref, async () => this.#perform(command), (reply) => this.#answer(ref, reply))
    }
  }

  /** Runs `work` to its one outcome. Never rejects; a connection that closed meanwhile hears nothing. */
  async #settle<T>(ref: Ref, work: () => Promise<T>, done: (value: T) => void, failed: (error: ChatError) => void = (error) => this.#refuse(ref, error)): Promise<void> {
    let value: T
    try {
      value = await work()
    } catch (error) {
      if (this.#stage === 'closed') return
      return failed(this.#publicError(error))
    }
    if (this.#stage === 'closed') return
    this.#guard(() => done(value))
  }

  #publicError(error: unknown): ChatError {
    if (error instanceof ChatError) return error
    this.#context.logger.error({ err: error }, 'a command failed unexpectedly')
    return new ChatError('internal', undefined, { cause: error })
  }

  /** `sent` is called once the reply is on its way. */
  #answer(ref: Ref, reply: Reply, sent?: () => void): void {
    const message = ref === undefined ? reply : { ref, ...reply }
    const answered = (): void => {
      this.#unanswered -= 1
      if (sent !== undefined) this.#guard(sent)
      if (this.#stage === 'leaving') this.#leaveIfAnswered()
    }
    if (sent === undefined) this.connection.reply(message, answered)
    else this.connection.cork(() => this.connection.reply(message, answered))
  }

  #refuse(ref: Ref, error: ChatError, pointer?: string): void {
    this.#context.metrics.error(error.code)
    this.#answer(ref, errorReply(ref, error, pointer))
  }

  /** An error that the connection does not outlive. */
  #fail(ref: Ref, error: ChatError): void {
    this.#context.metrics.error(error.code)
    this.connection.reply(errorReply(ref, error))
    this.close(error.definition.closeCode ?? 1012, error.code)
  }

  #leaveIfAnswered(): void {
    if (this.#unanswered === 0) this.close(1012, 'restart')
  }

  /** What actors do on our stack must not unwind into the library, which would abort the process. */
  #guard(work: () => void): void {
    try {
      work()
    } catch (error) {
      this.#fail(undefined, this.#publicError(error))
    }
  }
}

function expiry({ expiresAt }: Identity): { readonly expires_at?: string } {
  return expiresAt === null ? {} : { expires_at: new Date(expiresAt).toISOString() }
}

/** What a plan limits, beside the WebSockets, of which this is one. */
function toldOf(plan: Plan): Partial<ConnectionLimits> {
  const told = ['turns_per_minute', 'concurrent_turns', 'tokens_in_per_minute', 'tokens_in_per_day', 'tokens_out_per_minute', 'tokens_out_per_day', 'max_tokens'] as const
  return Object.fromEntries(told.flatMap((name) => (plan[name] === null ? [] : [[name, plan[name]]])))
}
