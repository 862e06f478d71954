import { fileURLToPath } from 'node:url'
import type { Config } from '../platform/config/config.ts'
import type { EdgeOptions } from './edge.ts'
import { ClientAddresses, type ForwardedHeader } from './http/client-address.ts'

/** Processes of a machine are few and their clients many: only what protects this one from running out of sockets. */
const maxConnections = 20_000

type Configured =
  | 'node' | 'host' | 'port' | 'pageFolder' | 'allowedOrigins' | 'framesPerSecond' | 'openConversations'
  | 'maxConnections' | 'maxConnectionsPerAddress' | 'addresses' | 'drainDeadlineMs'

/** What the configuration says of an edge, whichever process it is in. */
export function configuredEdge(config: Config): Pick<EdgeOptions, Configured> {
  return {
    node: config.CHATTERBOT_NODE_ID,
    host: config.HOST,
    port: config.PORT,
    pageFolder: fileURLToPath(new URL('../page', import.meta.url)),
    allowedOrigins: config.CHATTERBOT_ALLOWED_ORIGINS?.split(',').map((origin) => origin.trim()) ?? null,
    framesPerSecond: config.CHATTERBOT_FRAMES_PER_SECOND,
    openConversations: config.CHATTERBOT_OPEN_CONVERSATIONS,
    maxConnections,
    maxConnectionsPerAddress: config.CHATTERBOT_SOCKETS_PER_ADDRESS,
    addresses: new ClientAddresses({ trusted: config.CHATTERBOT_TRUSTED_PROXIES, header: config.CHATTERBOT_FORWARDED_HEADER as ForwardedHeader }),
    drainDeadlineMs: config.CHATTERBOT_DRAIN_SECONDS * 1000,
  }
}
