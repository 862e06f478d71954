/** The cluster under test, however it was started. */
export interface System {
  /** Of all edges. */
  readonly port: number
  nodes(role: Role): readonly string[]
  /** Does nothing to a node that is down. */
  signal(node: string, signal: NodeJS.Signals): void
  /** How often the node has been started. */
  starts(node: string): number
  /** Resolves once the node runs, and has been started at least so often. */
  started(node: string, starts: number): Promise<void>
  /** Of the nodes that run. */
  metricsUrls(role: Role): readonly string[]
  stop(): Promise<void>
}

export type Role = 'edge' | 'bridge'

/** What the load needs of its servers. */
export const serverSettings = { LOG_LEVEL: 'info', CHATTERBOT_SOCKETS_PER_ADDRESS: '10000', CHATTERBOT_FRAMES_PER_SECOND: '1000', CHATTERBOT_TURNS_PER_MINUTE: '100000', CHATTERBOT_CONCURRENT_TURNS: '100000', CHATTERBOT_REQUESTS_PER_ADDRESS: '1000000' }
