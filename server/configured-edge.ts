import { fileURLToPath } from 'node:url'
import type { Config } from '../platform/config/config.ts'
import type { Limit, Limits } from '../platform/limits/limits.ts'
import { createNoAuthentication } from './auth/none.ts'
import type { EdgeOptions } from './edge.ts'

/** Processes of a machine are few and their clients many: only what protects this one from running out of sockets. */
const maxConnections = 20_000

type Configured =
  | 'authenticator' | 'node' | 'host' | 'port' | 'pageFolder' | 'allowedOrigins' | 'framesPerSecond' | 'openConversations'
  | 'maxConnections' | 'maxConnectionsPerAddress' | 'maxConnectionsPerUser' | 'drainDeadlineMs'

/** What the configuration says of an edge, whichever process it is in. */
export function configuredEdge(config: Config): Pick<EdgeOptions, Configured> {
  return {
    authenticator: createNoAuthentication(),
    node: config.CHATTERBOT_NODE_ID,
    host: config.HOST,
    port: config.PORT,
    pageFolder: fileURLToPath(new URL('../page', import.meta.url)),
    allowedOrigins: config.CHATTERBOT_ALLOWED_ORIGINS?.split(',').map((origin) => origin.trim()) ?? null,
    framesPerSecond: config.CHATTERBOT_FRAMES_PER_SECOND,
    openConversations: config.CHATTERBOT_OPEN_CONVERSATIONS,
    maxConnections,
    maxConnectionsPerAddress: config.CHATTERBOT_SOCKETS_PER_ADDRESS,
    maxConnectionsPerUser: config.CHATTERBOT_SOCKETS_PER_USER,
    drainDeadlineMs: config.CHATTERBOT_DRAIN_SECONDS * 1000,
  }
}

/** The limit of turns a user may start, whichever process the edge is in. */
export function turnLimit(config: Config, limits: Limits): Limit {
  return limits.limit({ name: 'turns', points: config.CHATTERBOT_TURNS_PER_MINUTE, perSeconds: 60 })
}
