/** The limits of an edge, as the configuration says, whichever process it is in. */
import type { Clock } from '../../platform/clock.ts'
import type { Config } from '../../platform/config/config.ts'
import type { LimitMetrics } from '../../platform/limits/limit-metrics.ts'
import { defaultPlanName, Plans, type Plan } from '../../platform/limits/plan.ts'
import { readPlans } from '../../platform/limits/plans-file.ts'
import { MemoryLimits } from '../../platform/limits/memory/memory-limits.ts'
import type { Logger } from '../../platform/logging/logger.ts'
import type { CachesAndLimits } from '../../platform/redis/caches-and-limits.ts'
import type { ConversationStore } from '../../storage/conversation-store.ts'
import type { ConversationService } from '../../actors/conversation-service.ts'
import { PlanWindows } from '../../actors/limits/plan-windows.ts'
import { TurnAccounts, type EndedTurn } from '../../actors/limits/turn-accounts.ts'
import { limitTurns } from '../../actors/limits/turn-limits.ts'
import { Admission } from './admission.ts'

/** What an edge needs of them for its transports. */
export interface EdgeLimits {
  readonly plans: Plans
  readonly admission: Admission
  readonly metrics: LimitMetrics
}

export interface ConfiguredLimits extends EdgeLimits {
  readonly onTurnEnded: (turn: EndedTurn) => void
  limitTurns(service: ConversationService): ConversationService
}

export interface LimitParts extends Pick<CachesAndLimits, 'limits' | 'leases' | 'limitMetrics'> {
  readonly store: Pick<ConversationStore, 'acceptedTurn'>
  readonly logger: Logger
  readonly clock: Clock
}

/** A user who is refused may be repeating what was accepted, which is looked up this often in a minute. */
const lookUps = { name: 'repetitions', points: 600, perSeconds: 60 }

/** Rejects with StartupFault where the file of plans has faults. */
export async function configureLimits(config: Config, { limits, leases, limitMetrics, store, logger, clock }: LimitParts): Promise<ConfiguredLimits> {
  const configured = defaultPlan(config)
  const file = config.CHATTERBOT_PLANS_FILE
  const plans = new Plans(file === null ? [configured] : await readPlans(file, configured), (plan) => logger.warn({ plan }, 'credentials name a plan that there is not: its users have the default plan'))
  const windows = new PlanWindows(limits)
  const monotonic = (): number => clock.monotonic()
  const local = new MemoryLimits({ monotonic })
  const accounts = new TurnAccounts(leases, windows, plans)
  return {
    plans,
    metrics: limitMetrics,
    admission: new Admission({ plans, windows, addresses: local.limit({ name: 'requests_per_address', points: config.CHATTERBOT_REQUESTS_PER_ADDRESS, perSeconds: 60 }), addressPoints: config.CHATTERBOT_REQUESTS_PER_ADDRESS, metrics: limitMetrics, monotonic }),
    onTurnEnded: (turn) => void accounts.ended(turn).catch((error: unknown) => logger.error({ err: error }, 'a turn was not settled')),
    limitTurns: (service) =>
      limitTurns(service, {
        plans,
        windows,
        leases,
        lookUps: local.limit(lookUps),
        store,
        metrics: limitMetrics,
        monotonic,
        turnDeadlineMs: config.CHATTERBOT_TURN_DEADLINE_SECONDS * 1000,
        defaultMaxTokens: config.CHATTERBOT_MAX_TOKENS,
      }),
  }
}

function defaultPlan(config: Config): Plan {
  return {
    name: defaultPlanName,
    lane: 'standard',
    requests_per_minute: config.CHATTERBOT_REQUESTS_PER_MINUTE,
    turns_per_minute: config.CHATTERBOT_TURNS_PER_MINUTE,
    concurrent_turns: config.CHATTERBOT_CONCURRENT_TURNS,
    tokens_in_per_minute: null,
    tokens_in_per_day: null,
    tokens_out_per_minute: null,
    tokens_out_per_day: null,
    sockets: config.CHATTERBOT_SOCKETS_PER_USER,
    max_tokens: null,
  }
}
