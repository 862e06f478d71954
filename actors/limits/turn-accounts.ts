/** Settles a turn that has ended, where its conversation is: its lease is given back, and its tokens are charged. */
import type { Leases } from '../../platform/limits/leases.ts'
import type { Plans, WindowName } from '../../platform/limits/plan.ts'
import type { Usage } from '../../protocol/websocket/fields.ts'
import { userKey } from './payers.ts'
import type { PlanWindows } from './plan-windows.ts'

export interface EndedTurn {
  readonly userId: string
  readonly conversationId: number
  readonly clientMessageId: string
  /** Null where no engine has told. */
  readonly usage: Usage | null
  /** Of the reply that are known. */
  readonly tokens: number
  readonly cached: boolean
}

/** Known to whoever accepts a turn and to whoever ends it. */
export function leaseOf(userId: string, conversationId: number, clientMessageId: string): string {
  return `${conversationId}:${clientMessageId}:${userId}`
}

export class TurnAccounts {
  readonly #leases: Leases
  readonly #windows: PlanWindows
  readonly #plans: Plans

  constructor(leases: Leases, windows: PlanWindows, plans: Plans) {
    this.#leases = leases
    this.#windows = windows
    this.#plans = plans
  }

  /** Never rejects. Where it is not known who pays, as while Redis is away, the user does. */
  async ended({ userId, conversationId, clientMessageId, usage, tokens, cached }: EndedTurn): Promise<void> {
    const lease = await this.#leases.giveBack(leaseOf(userId, conversationId, clientMessageId))
    const keys = lease?.keys ?? [userKey(userId)]
    const estimate = Number(lease?.note ?? 0)
    // No engine was asked for a cached reply.
    const input = cached ? 0 : (usage?.prompt_tokens ?? estimate) - estimate
    const output = cached ? 0 : (usage?.completion_tokens ?? tokens)
    const charges: [WindowName, number][] = [['tokens_in_per_minute', input], ['tokens_in_per_day', input], ['tokens_out_per_minute', output], ['tokens_out_per_day', output]]
    await Promise.all(keys.flatMap((key) => charges.filter(([window]) => this.#plans.limits(window)).map(([window, cost]) => this.#windows.charge(key, window, cost))))
  }
}
