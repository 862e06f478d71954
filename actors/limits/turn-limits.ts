/** Limits the turns that a client may start, at the door of the process where the client is: forwarded commands were counted there. */
import { ChatError } from '../../protocol/errors.ts'
import type { Lane, Origin } from '../../protocol/bus/origin.ts'
import type { CommandOf, ReplyOf } from '../../protocol/websocket/messages.ts'
import type { Limit } from '../../platform/limits/limits.ts'
import type { Leases } from '../../platform/limits/leases.ts'
import type { LimitMetrics } from '../../platform/limits/limit-metrics.ts'
import type { Plan, Plans, WindowName } from '../../platform/limits/plan.ts'
import type { ConversationStore } from '../../storage/conversation-store.ts'
import type { ConversationService, TurnOrigin } from '../conversation-service.ts'
import { InTurn } from './in-turn.ts'
import { LimitError } from './limit-error.ts'
import { payersOf, type Payer } from './payers.ts'
import type { PlanWindows, Taken } from './plan-windows.ts'
import { Refused } from './refused.ts'
import { leaseOf } from './turn-accounts.ts'

type TurnCommand = CommandOf<'message.send'> | CommandOf<'message.edit'> | CommandOf<'turn.regenerate'>

export interface TurnLimitOptions {
  readonly plans: Plans
  readonly windows: PlanWindows
  readonly leases: Leases
  /** Of this process alone: how often a user's commands are looked up that may be repetitions. */
  readonly lookUps: Limit
  readonly store: Pick<ConversationStore, 'acceptedTurn'>
  readonly metrics: LimitMetrics
  readonly monotonic: () => number
  readonly turnDeadlineMs: number
  /** Length of a reply, in tokens, where nothing else is asked for. */
  readonly defaultMaxTokens: number
}

/** A turn's lease outlives its deadline by what it takes to end it. */
const leaseBeyondDeadlineMs = 10_000
/** A guess, until the engine has counted. */
const bytesPerToken = 4
const unlimited = Number.MAX_SAFE_INTEGER - 1
/** When to ask again where a turn must end first: nobody knows when that is. */
const askAgainMs = 2_000

/** What a command has taken, to be given back where it comes to nothing. */
interface Allowance {
  giveBack(): void
}

/**
 * Sends, edits and regenerates beyond a limit of a payer's plan reject with ChatError: `rate_limited` with the time to
 * wait, `too_many_turns` where one must end first, `quota_exceeded` where the day's are used up. Only turns that are
 * accepted count, once: a repetition is free and is never refused for a limit, as it is to get its first answer.
 */
export function limitTurns(service: ConversationService, options: TurnLimitOptions): ConversationService {
  const { plans, windows, leases, lookUps, store, metrics, monotonic, turnDeadlineMs, defaultMaxTokens } = options
  const refused = new Refused(monotonic)
  /** For each user, so that no command overtakes one before it. */
  const looks = new InTurn()
  /** For each user, so that who is refused a thousand times at once has no thousand queries under way. */
  const repetitions = new InTurn()

  /** All limits in one exchange. */
  const take = async (userId: string, command: TurnCommand, payers: readonly Payer[], historyBytes: number): Promise<Allowance | ChatError> => {
    const known = refused.of(payers)
    if (known !== null) {
      metrics.refused(known instanceof LimitError ? known.window : 'concurrent_turns')
      return known
    }
    const input = Math.ceil((historyBytes + ('text' in command ? Buffer.byteLength(command.text) : 0)) / bytesPerToken)
    const id = leaseOf(userId, command.conversation_id, command.client_message_id)
    const costs: readonly [WindowName, number][] = [['turns_per_minute', 1], ['tokens_in_per_minute', input], ['tokens_in_per_day', input], ['tokens_out_per_minute', 0], ['tokens_out_per_day', 0]]
    const [lease, ...found] = await Promise.all([
      leases.take({ id, holders: payers.map(({ key, plan }) => ({ key, most: (plan.concurrent_turns ?? unlimited) + (stopsAnother(command) ? 1 : 0) })), forMs: turnDeadlineMs + leaseBeyondDeadlineMs, note: `${input}` }),
      ...payers.flatMap((payer) => costs.map(([window, cost]) => windows.take(payer, window, cost))),
    ])
    const taken = found.filter((each) => each !== null)
    const giveBack = (): void => {
      for (const each of taken) each.giveBack()
      if (lease.allowed && lease.isNew) void leases.giveBack(id)
    }
    const worst = longest(taken)
    if (worst === null && lease.allowed) {
      refused.forget(payers)
      return {
        giveBack: () => {
          giveBack()
          refused.forget(payers)
        },
      }
    }
    giveBack()
    metrics.refused(worst?.window ?? 'concurrent_turns')
    if (worst === null) return refused.full(payers, new ChatError('too_many_turns', undefined, { retryAfterMs: askAgainMs }))
    const error = refusal(worst)
    return worst.verdict.remaining === 0 ? refused.usedUp(payers, error) : error
  }

  const isRepetition = (userId: string, command: TurnCommand): Promise<boolean> =>
    repetitions.run(userId, async () => (await lookUps.take(userId)).allowed && (await store.acceptedTurn(command.conversation_id, command.client_message_id)) !== null)

  const start = async (userId: string, command: TurnCommand, origin: TurnOrigin, accept: (origin: Origin) => Promise<ReplyOf<'message.send'>>): Promise<ReplyOf<'message.send'>> => {
    const payers = payersOf(plans, userId, origin.identity)
    const allowance = await looks.run(userId, () => take(userId, command, payers, origin.historyBytes ?? 0))
    if (allowance instanceof ChatError && !(await isRepetition(userId, command))) throw allowance
    let used = false
    try {
      const reply = await accept(originBy(planOf(payers, plans), command, origin, defaultMaxTokens))
      used = !reply.duplicate
      return reply
    } finally {
      if (!(allowance instanceof ChatError) && !used) allowance.giveBack()
    }
  }

  return {
    create: (userId, command, creation) => service.create(userId, command, creation),
    draw: (userId) => service.draw(userId),
    begin: (userId, drawn, beginning, command, origin = {}) => start(userId, command, origin, (by) => service.begin(userId, drawn, beginning, command, by)),
    list: (userId, command) => service.list(userId, command),
    history: (userId, command) => service.history(userId, command),
    open: (userId, command, connection, onMoved) => service.open(userId, command, connection, onMoved),
    send: (userId, command, origin = {}) => start(userId, command, origin, (by) => service.send(userId, command, by)),
    edit: (userId, command, origin = {}) => start(userId, command, origin, (by) => service.edit(userId, command, by)),
    regenerate: (userId, command, origin = {}) => start(userId, command, origin, (by) => service.regenerate(userId, command, by)),
    stop: (userId, command) => service.stop(userId, command),
    rename: (userId, command) => service.rename(userId, command),
    delete: (userId, command) => service.delete(userId, command),
    export: (userId, conversationId, signal) => service.export(userId, conversationId, signal),
    follow: (userId, turn, client, onMoved) => service.follow(userId, turn, client, onMoved),
    turn: (userId, turnId) => service.turn(userId, turnId),
    stopUnheard: (userId, turnId, forMs) => service.stopUnheard(userId, turnId, forMs),
    conversation: (userId, conversationId) => service.conversation(userId, conversationId),
    ownerOf: (conversationId) => service.ownerOf(conversationId),
    load: () => service.load(),
  }
}

/** The turn under way ends in the very commit that begins this one. */
function stopsAnother(command: TurnCommand): boolean {
  return command.type !== 'message.send'
}

/** The one that lasts longest of those that refuse. */
function longest(taken: readonly Taken[]): Taken | null {
  const refusing = taken.filter(({ verdict }) => !verdict.allowed)
  return refusing.reduce<Taken | null>((worst, each) => (worst === null || each.verdict.retryAfterMs > worst.verdict.retryAfterMs ? each : worst), null)
}

const what: { readonly [Name in WindowName]: string } = {
  requests_per_minute: 'Too many requests in a minute.',
  turns_per_minute: 'Too many messages in a minute.',
  tokens_in_per_minute: 'Too many tokens of input in a minute.',
  tokens_in_per_day: 'The tokens of input for a day are used up.',
  tokens_out_per_minute: 'Too many tokens of replies in a minute.',
  tokens_out_per_day: 'The tokens of replies for a day are used up.',
}

/** What to tell of a window that refuses. */
function refusal({ window, points, verdict }: Taken): LimitError {
  return new LimitError(window.endsWith('_per_day') ? 'quota_exceeded' : 'rate_limited', what[window], { window, points, resetMs: verdict.retryAfterMs })
}

/** Whoever pays last has the credentials' own plan. */
function planOf(payers: readonly Payer[], plans: Plans): Plan {
  return payers.at(-1)?.plan ?? plans.default
}

/** The best comes first. */
const lanes: readonly Lane[] = ['premium', 'standard', 'batch']

/** A request may ask for a slower lane than its plan's, and not for a faster one. */
function slower(asked: Lane | undefined, plan: Lane): Lane {
  return asked !== undefined && lanes.indexOf(asked) > lanes.indexOf(plan) ? asked : plan
}

function originBy(plan: Plan, command: TurnCommand, { lane, traceparent, kept }: TurnOrigin, defaultMaxTokens: number): Origin {
  const asked = command.type === 'message.send' ? command.params?.max_tokens : undefined
  const most = plan.max_tokens === null ? null : Math.min(plan.max_tokens, asked ?? defaultMaxTokens)
  return { lane: slower(lane, plan.lane), ...(traceparent === undefined ? {} : { traceparent }), ...(most === null ? {} : { max_tokens: most }), ...(kept === undefined ? {} : { kept }) }
}
