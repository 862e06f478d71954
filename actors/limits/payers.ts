/** For whom something counts: each payer with the plan whose limits are theirs. */
import type { Plan, Plans } from '../../platform/limits/plan.ts'

/** What is known of a client's credentials; `Identity` is one. */
export interface Account {
  /** Null: the credentials are nobody's in particular, and may act for any user. */
  readonly userId: string | null
  readonly actsForOthers: boolean
  /** Name of a plan. */
  readonly plan: string
  readonly keyId: string | null
}

export interface Payer {
  readonly key: string
  readonly plan: Plan
}

/**
 * Credentials of a user: what they do counts for the user, by their plan, whichever of the user's keys it is done with.
 * A key that acts for others: for the key, by its plan, and for the user that is named, by the default plan, so that no
 * user takes what the key allows from its other users. `userId` null: nobody is named.
 */
export function payersOf(plans: Plans, userId: string | null, account: Account | undefined): readonly Payer[] {
  if (account?.keyId != null && account.actsForOthers) {
    const plan = plans.of(account.plan)
    const user = userId ?? account.userId
    return [...(user === null ? [] : [userPayer(user, user === account.userId ? plan : plans.default)]), { key: `key:${account.keyId}`, plan }]
  }
  if (account?.userId != null) return [userPayer(account.userId, plans.of(account.plan))]
  return userId === null ? [] : [userPayer(userId, plans.default)]
}

export function userKey(userId: string): string {
  return `user:${userId}`
}

function userPayer(userId: string, plan: Plan): Payer {
  return { key: userKey(userId), plan }
}
