/**
 * Mode `jwt`: tokens of an identity provider (RFC 7519). Accepted is what is signed by one of its keys with one of the
 * algorithms that go with them, names issuer and audience, and has not expired. The same user id is the same user, with
 * a token or an API key.
 */
import { createHash } from 'node:crypto'
import { errors, jwtVerify, type JWTPayload, type JWTVerifyOptions } from 'jose'
import { LRUCache } from 'lru-cache'
import { permissions, type Permission } from '../../../protocol/permissions.ts'
import { isName } from '../../../protocol/text.ts'
import { limits } from '../../../protocol/websocket/limits.ts'
import type { Clock } from '../../../platform/clock.ts'
import type { Logger } from '../../../platform/logging/logger.ts'
import { defaultPlan, type Identity } from '../authenticator.ts'
import { createKeySet } from './key-set.ts'
import type { JwtSettings } from './settings.ts'

/** Of tokens that were accepted, so that a request need not verify again. A key that is withdrawn holds no longer than this for them. */
const rememberedMs = 30_000
const mostRemembered = 10_000
/** Of a token without the claim of roles. */
const usualRole = 'user'
const planPattern = /^[A-Za-z0-9_-]{1,64}$/

export interface TokensOptions {
  readonly settings: JwtSettings
  readonly clock: Clock
  readonly logger: Logger
}

export class Tokens {
  readonly #options: TokensOptions
  readonly #verify: (token: string) => Promise<JWTPayload>
  /** By the SHA-256 of the token, so that no token lies in memory for longer than its request. */
  readonly #accepted: LRUCache<string, Identity>

  constructor(options: TokensOptions) {
    const { settings, clock, logger } = options
    this.#options = options
    this.#accepted = new LRUCache({ max: mostRemembered, ttl: rememberedMs, ttlResolution: 0, perf: { now: () => clock.monotonic() } })
    const wanted = (): JWTVerifyOptions => ({
      algorithms: [...settings.algorithms],
      issuer: settings.issuer,
      audience: settings.audience,
      clockTolerance: settings.skewS,
      requiredClaims: ['exp'],
      currentDate: new Date(clock.now()),
    })
    const { keys } = settings
    if (keys.type === 'key set') {
      const keySet = createKeySet({ url: keys.url, clock, logger })
      this.#verify = async (token) => (await jwtVerify(token, keySet, wanted())).payload
    } else {
      const key = keys.type === 'secret' ? keys.secret : keys.key
      this.#verify = async (token) => (await jwtVerify(token, key, wanted())).payload
    }
  }

  /** Whom the token was accepted for a moment ago; null where it was not, or has expired since. */
  remembered(token: string): Identity | null {
    const identity = this.#accepted.get(digest(token))
    return identity !== undefined && (identity.expiresAt ?? Infinity) > this.#options.clock.now() ? identity : null
  }

  /** Null where the token opens nothing. Rejects with ChatError `unavailable` while there are no keys to tell by. */
  async identify(token: string): Promise<Identity | null> {
    const { logger } = this.#options
    let payload: JWTPayload
    try {
      payload = await this.#verify(token)
    } catch (error) {
      if (!(error instanceof errors.JOSEError)) throw error
      logger.debug({ reason: error.code }, 'a token was refused')
      return null
    }
    const identity = this.#identityOf(payload)
    if (identity === null) logger.debug({ reason: 'no usable user claim' }, 'a token was refused')
    else this.#accepted.set(digest(token), identity)
    return identity
  }

  #identityOf(payload: JWTPayload): Identity | null {
    const { userClaim, planClaim, rolesClaim, roles, skewS } = this.#options.settings
    const userId = claim(payload, userClaim)
    if (typeof userId !== 'string' || !isName(userId, limits.userIdLength) || payload.exp === undefined) return null
    const plan = claim(payload, planClaim)
    const granted = namesIn(claim(payload, rolesClaim)).flatMap((name) => roles.get(name) ?? [])
    const named = new Set<Permission>(granted.flatMap((role) => role.permissions))
    return {
      userId,
      actsForOthers: granted.some((role) => role.actsForOthers),
      permissions: new Set(permissions.filter((permission) => named.has(permission))),
      plan: typeof plan === 'string' && planPattern.test(plan) ? plan : defaultPlan,
      keyId: null,
      // Until then the clocks of provider and server may differ.
      expiresAt: (payload.exp + skewS) * 1000,
    }
  }
}

/** A claim by its name, or by the path to it: `realm_access.roles`. */
function claim(payload: JWTPayload, name: string): unknown {
  if (Object.hasOwn(payload, name)) return payload[name]
  return name.split('.').reduce<unknown>((value, part) => (typeof value === 'object' && value !== null && Object.hasOwn(value, part) ? (value as Record<string, unknown>)[part] : undefined), payload)
}

/** Roles as a list, or as a text with spaces between, as scopes are. */
function namesIn(value: unknown): readonly string[] {
  if (value === undefined) return [usualRole]
  if (typeof value === 'string') return value.split(' ')
  return Array.isArray(value) ? value.filter((each) => typeof each === 'string') : []
}

function digest(token: string): string {
  return createHash('sha256').update(token).digest('base64')
}
