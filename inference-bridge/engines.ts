/** The engines that write the replies: those that the configuration names, or a small one of our own. */
import path from 'node:path'
import type { Config } from '../platform/config/config.ts'
import { exitCodes, StartupFault } from '../platform/lifecycle/startup-fault.ts'
import type { Service } from '../platform/lifecycle/service.ts'
import type { Logger } from '../platform/logging/logger.ts'
import { EngineConfigError } from './local-engine/config-error.ts'
import type { FindModelProgress } from './local-engine/model/find-model.ts'
import { defaultSettings, type LocalEngineSettings } from './local-engine/options.ts'
import { LocalEngineSupervisor, type SupervisorState } from './local-engine/supervisor.ts'
import type { EngineEndpoint } from './vllm/client.ts'

export interface Engines {
  /** Turns that may generate at once, over all engines. */
  readonly concurrency: number
  /** What must run for them; null: nothing of ours. */
  readonly service: Service | null
  /** Resolves once the engines have an address. Throws StartupFault. `tell` hears what takes long. */
  start(tell: (detail: string) => void): Promise<readonly EngineEndpoint[]>
  /** Why there is no engine yet, in words for people; null where it is not ours to know. */
  missing(): string | null
}

/** What an engine that batches by itself takes well. */
const remoteConcurrency = 64
/** Of the local one. */
const mostSequences = 64

export function chooseEngines(config: Config, logger: Logger): Engines {
  return config.CHATTERBOT_ENGINE_URL.length > 0 ? namedEngines(config) : localEngine(config, logger)
}

function namedEngines(config: Config): Engines {
  const apiKey = config.CHATTERBOT_ENGINE_API_KEY
  const endpoints = config.CHATTERBOT_ENGINE_URL.map((url) => ({ url, ...(apiKey === null ? {} : { apiKey }) }))
  return {
    concurrency: (config.CHATTERBOT_ENGINE_CONCURRENCY ?? remoteConcurrency) * endpoints.length,
    service: null,
    start: () => Promise.resolve(endpoints),
    missing: () => null,
  }
}

/** What the configuration says of the local engine, whoever starts it. */
export function configuredLocalEngine(config: Config): LocalEngineSettings & { readonly sequences: number } {
  return {
    sequences: Math.min(config.CHATTERBOT_ENGINE_CONCURRENCY ?? defaultSettings.sequences, mostSequences),
    cacheFolder: path.join(config.CHATTERBOT_CACHE_DIR, 'models'),
    ...(config.CHATTERBOT_MODEL_PATH === null ? {} : { modelPath: config.CHATTERBOT_MODEL_PATH }),
    ...(config.CHATTERBOT_MODEL_HUB_URL === null ? {} : { hubUrl: config.CHATTERBOT_MODEL_HUB_URL }),
  }
}

function localEngine(config: Config, logger: Logger): Engines {
  const settings = configuredLocalEngine(config)
  let latest = 'starting'
  let tell: (detail: string) => void = () => {}
  const supervisor = new LocalEngineSupervisor({
    engine: settings,
    onLog: (line) => logger.warn({ line }, 'the local engine says'),
    onProgress: (progress) => {
      if (progress.step === 'source_failed') logger.warn({ source: progress.source, fault: progress.fault }, 'the model could not be fetched')
      latest = describeModelProgress(progress)
      tell(latest)
    },
  })
  return {
    concurrency: settings.sequences,
    service: supervisor,
    start: async (listener) => {
      tell = listener
      tell(latest)
      try {
        await supervisor.start()
      } catch (error) {
        throw asStartupFault(error)
      }
      const { url } = supervisor
      if (url === undefined) throw new StartupFault('The local engine ended right after its start.', 'Try again; if it stays so, the log says more.')
      return [{ url }]
    },
    missing: () => missingOf(supervisor.state, latest),
  }
}

function missingOf(state: SupervisorState, latest: string): string | null {
  switch (state.status) {
    case 'ready':
      return null
    case 'waiting':
      return 'the model is being started again'
    case 'failed':
      return 'the model cannot be started'
    case 'stopped':
    case 'starting':
    case 'stopping':
      return `the model is not ready: ${latest}`
  }
}

export function describeModelProgress(progress: FindModelProgress): string {
  const mb = (bytes: number): number => Math.round(bytes / 1_000_000)
  switch (progress.step) {
    case 'cache_damaged':
      return 'the model in the cache is damaged, fetching it anew'
    case 'downloading':
      return `fetching the model from ${progress.source}${progress.received === null ? '' : `, ${mb(progress.received)} of ${mb(progress.total)} MB`}`
    case 'source_failed':
      return `${progress.source} did not give the model`
    case 'downloaded':
      return 'loading the model'
  }
}

function asStartupFault(error: unknown): StartupFault {
  const message = error instanceof Error ? error.message : String(error)
  const exitCode = error instanceof EngineConfigError ? exitCodes.config : exitCodes.unavailable
  return new StartupFault(message, 'Mend that, or use an engine of your own: CHATTERBOT_ENGINE_URL=http://127.0.0.1:11434', { exitCode, cause: error })
}
