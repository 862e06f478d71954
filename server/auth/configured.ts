/** The authentication that the configuration asks for: checked first, so that a fault is told before anything starts. */
import type { Clock } from '../../platform/clock.ts'
import type { Config } from '../../platform/config/config.ts'
import type { ServiceGroup } from '../../platform/lifecycle/service-group.ts'
import { exitCodes, StartupFault } from '../../platform/lifecycle/startup-fault.ts'
import type { Limits } from '../../platform/limits/limits.ts'
import type { Logger } from '../../platform/logging/logger.ts'
import type { CredentialStore } from '../../storage/credential-store.ts'
import { isLoopback } from '../websocket/handshake.ts'
import { ApiKeys } from './api-keys.ts'
import { Authentication } from './authentication.ts'
import type { Authenticator } from './authenticator.ts'
import { FailedAttempts } from './failed-attempts.ts'
import { jwtSettings, type JwtSettings } from './jwt/settings.ts'
import { Tokens } from './jwt/tokens.ts'
import { createNoAuthentication } from './none.ts'
import { StreamTickets } from './stream-tickets.ts'
import { Tickets } from './tickets.ts'

export interface AuthenticationSettings {
  readonly isRequired: boolean
  readonly takesApiKeys: boolean
  /** Null: takes no tokens. */
  readonly jwt: JwtSettings | null
  readonly failuresPerMinute: number
  readonly turnDeadlineMs: number
}

export interface AuthenticationParts {
  readonly credentials: CredentialStore
  readonly limits: Limits
  readonly clock: Clock
  readonly logger: Logger
}

export interface ConfiguredAuthentication {
  readonly authenticator: Authenticator
  readonly tickets: Tickets
  readonly streamTickets: StreamTickets
}

/** Throws StartupFault where the configuration does not go together, or lets everybody in who can reach the server. */
export function authenticationSettings(config: Config): AuthenticationSettings {
  const modes = new Set(config.CHATTERBOT_AUTH.split(',').map((mode) => mode.trim()))
  if (modes.has('none')) requireSafeAddress(config)
  return {
    isRequired: !modes.has('none'),
    takesApiKeys: modes.has('api-key'),
    jwt: modes.has('jwt') ? jwtSettings(config) : null,
    failuresPerMinute: config.CHATTERBOT_FAILED_AUTHENTICATIONS_PER_MINUTE,
    turnDeadlineMs: config.CHATTERBOT_TURN_DEADLINE_SECONDS * 1000,
  }
}

/** `services`: gets what is to be started before the edge, and stopped after it. */
export async function createAuthentication(settings: AuthenticationSettings, { credentials, limits, clock, logger }: AuthenticationParts, services: Pick<ServiceGroup, 'add'>): Promise<ConfiguredAuthentication> {
  const tickets = new Tickets({ store: credentials, clock })
  const streamTickets = new StreamTickets({ store: credentials, clock, turnDeadlineMs: settings.turnDeadlineMs })
  if (!settings.isRequired) return { authenticator: createNoAuthentication(tickets), tickets, streamTickets }
  const failures = limits.limit({ name: 'failed-authentications', points: settings.failuresPerMinute, perSeconds: 60 })
  const authentication = new Authentication({
    apiKeys: settings.takesApiKeys ? new ApiKeys({ store: credentials, clock, logger }) : null,
    tokens: settings.jwt === null ? null : new Tokens({ settings: settings.jwt, clock, logger }),
    tickets,
    failedAttempts: new FailedAttempts(failures, () => clock.monotonic()),
  })
  return { authenticator: await services.add(authentication), tickets, streamTickets }
}

function requireSafeAddress({ HOST: host, CHATTERBOT_ALLOW_UNAUTHENTICATED: isAllowed }: Config): void {
  if (isLoopback(host) || isAllowed) return
  throw new StartupFault(
    `Without authentication (CHATTERBOT_AUTH=none), whoever can reach ${host} could read and write everybody's conversations.`,
    'Set CHATTERBOT_AUTH to api-key or jwt (docs/authentication.md), or HOST to 127.0.0.1. Where something else keeps strangers out: CHATTERBOT_ALLOW_UNAUTHENTICATED=true.',
    { exitCode: exitCodes.config },
  )
}
