/** What writes the replies: engines that run somewhere, or one of the cluster's own. */
import { fileURLToPath } from 'node:url'
import type { Config } from '../platform/config/config.ts'
import { configuredLocalEngine, describeModelProgress } from '../inference-bridge/engines.ts'
import { parseProcessMessage } from '../inference-bridge/local-engine/process-messages.ts'
import type { ProgramOptions } from './processes/child.ts'

export type EngineChoice = { readonly kind: 'named'; readonly urls: readonly string[] } | { readonly kind: 'simulated' } | { readonly kind: 'local' }

export interface OwnEngine {
  readonly url: string
  /** Replies that each bridge may ask of it at once. */
  readonly concurrency: number | null
  readonly program: Pick<ProgramOptions, 'command' | 'args' | 'isReady'>
}

/** About as fast as a person reads twice over, so that there is time to watch. */
const simulatedSpeed = ['--tokens-per-second', '50', '--first-token-ms', '150']

/** On `port`. `tell` hears what takes long. */
export function ownEngine(kind: 'simulated' | 'local', port: number, config: Config, tell: (detail: string) => void): OwnEngine {
  const command = process.execPath
  const url = `http://127.0.0.1:${port}`
  if (kind === 'simulated') {
    const main = fileURLToPath(new URL('../load-tests/simulated-vllm/main.js', import.meta.url))
    const isReady = (line: string): boolean => line.startsWith('{"ready":true')
    return { url, concurrency: config.CHATTERBOT_ENGINE_CONCURRENCY, program: { command, args: ['--enable-source-maps', main, '--port', String(port), ...simulatedSpeed], isReady } }
  }
  const main = fileURLToPath(new URL('../inference-bridge/local-engine/main.js', import.meta.url))
  const settings = configuredLocalEngine(config)
  const isReady = (line: string): boolean => {
    const message = parseProcessMessage(line)
    if (message !== null && 'progress' in message) tell(describeModelProgress(message.progress))
    return message !== null && 'ready' in message && message.ready
  }
  return { url, concurrency: settings.sequences, program: { command, args: ['--enable-source-maps', main, JSON.stringify({ ...settings, port, exitWithStdin: true })], isReady } }
}
