/**
 * The key set of an identity provider (JWKS). It is fetched when a token needs it and kept for ten minutes; a token with
 * a key id that is not in it has it fetched again, at most once in half a minute, so that a rotation is seen at once and
 * made-up key ids cost the provider nothing. While the provider is away it is asked every ten seconds, and what it said
 * last goes on for a day.
 */
import { createLocalJWKSet, createRemoteJWKSet, customFetch, errors, type JWTVerifyGetKey } from 'jose'
import { ChatError } from '../../../protocol/errors.ts'
import type { Clock } from '../../../platform/clock.ts'
import type { Logger } from '../../../platform/logging/logger.ts'

const keptMs = 600_000
const betweenFetchesMs = 30_000
const patienceMs = 5_000
const withoutProviderMs = 86_400_000
/** So that requests do not wait for a provider that is away, each for itself. */
const afterFailureMs = 10_000

export interface KeySetOptions {
  readonly url: URL
  readonly clock: Clock
  readonly logger: Logger
}

/** The provider did not answer, or not with a key set: that is no fault of the token. */
const providerFaults = new Set(['ERR_JWKS_TIMEOUT', 'ERR_JWKS_INVALID', 'ERR_JOSE_GENERIC'])

/** Rejects with ChatError `unavailable` where no keys are to be had, and with an error of jose where the token's key is none of them. */
export function createKeySet({ url, clock, logger }: KeySetOptions): JWTVerifyGetKey {
  let fetchedAt = -Infinity
  const remote = createRemoteJWKSet(url, {
    cacheMaxAge: keptMs,
    cooldownDuration: betweenFetchesMs,
    timeoutDuration: patienceMs,
    [customFetch]: async (address, options) => {
      const response = await fetch(address, options)
      if (response.ok) fetchedAt = clock.monotonic()
      return response
    },
  })
  let failedAt = -Infinity
  const goOn: JWTVerifyGetKey = (header, token) => {
    const last = remote.jwks()
    if (last === undefined || clock.monotonic() - fetchedAt > withoutProviderMs) throw new ChatError('unavailable', 'The identity provider does not answer.')
    return createLocalJWKSet(last)(header, token)
  }
  return async (header, token) => {
    if (clock.monotonic() - failedAt < afterFailureMs) return goOn(header, token)
    try {
      return await remote(header, token)
    } catch (error) {
      if (error instanceof errors.JOSEError && !providerFaults.has(error.code)) throw error
      failedAt = clock.monotonic()
      logger.warn({ err: error }, 'the key set of the identity provider could not be fetched')
      return goOn(header, token)
    }
  }
}
