/** Tells who a client is by whichever of its credentials the configured modes take. */
import { ChatError } from '../../protocol/errors.ts'
import { isLikeApiKey } from '../../protocol/api-key.ts'
import { once } from '../../platform/lifecycle/once.ts'
import type { Service } from '../../platform/lifecycle/service.ts'
import type { ApiKeys } from './api-keys.ts'
import type { Authenticator, Credentials, Identity } from './authenticator.ts'
import type { FailedAttempts } from './failed-attempts.ts'
import type { Tokens } from './jwt/tokens.ts'
import type { Tickets } from './tickets.ts'

export interface AuthenticationOptions {
  /** Null where the mode is off. */
  readonly apiKeys: ApiKeys | null
  readonly tokens: Tokens | null
  readonly tickets: Tickets
  readonly failedAttempts: FailedAttempts
}

/** What takes one kind of token. */
type Kind = Pick<ApiKeys, 'remembered' | 'identify'>

export class Authentication implements Authenticator, Service {
  readonly name = 'authentication'
  readonly isRequired = true
  readonly #options: AuthenticationOptions

  constructor(options: AuthenticationOptions) {
    this.#options = options
  }

  readonly start = once(() => {
    this.#options.apiKeys?.start()
    return Promise.resolve()
  })

  readonly stop = once(async () => {
    await this.#options.apiKeys?.stop()
  })

  async authenticate({ token, ticket, address }: Credentials): Promise<Identity> {
    const { failedAttempts, tickets } = this.#options
    const kind = token === undefined ? null : this.#kindOf(token)
    const remembered = token === undefined ? null : (kind?.remembered(token) ?? null)
    if (remembered !== null) return remembered
    // Whoever shows nothing guesses nothing.
    if (token === undefined && ticket === undefined) throw new ChatError('unauthenticated')
    const refusal = failedAttempts.refusal(address)
    if (refusal !== null) throw refusal
    const identity = token !== undefined ? await kind?.identify(token) : await tickets.redeem(ticket as string)
    if (identity != null) return identity
    await failedAttempts.note(address)
    throw new ChatError('unauthenticated')
  }

  holdingKeys(ids: readonly string[]): Promise<ReadonlySet<string>> {
    return this.#options.apiKeys?.holding(ids) ?? Promise.resolve(new Set())
  }

  #kindOf(token: string): Kind | null {
    return isLikeApiKey(token) ? this.#options.apiKeys : this.#options.tokens
  }
}
