/**
 * The local engine: a process that serves a small model over vLLM's HTTP dialect on 127.0.0.1.
 *
 *     node main.js '{"port":8000}'
 *
 * The settings (options.ts) are JSON, the first argument; CHATTERBOT_MODEL_PATH may name the model. The process writes
 * process-messages.ts to stdout and logs to stderr. Exit codes: 0 stopped, 78 a person must mend something, 1 anything
 * else.
 */
import { writeSync } from 'node:fs'
import { availableParallelism, homedir } from 'node:os'
import { configErrorExitCode, EngineConfigError } from './config-error.ts'
import { EngineMetrics } from './engine/engine-metrics.ts'
import { Engine } from './engine/engine.ts'
import { EngineServer } from './http/engine-server.ts'
import { defaultCacheFolder } from './model/cache-folder.ts'
import { findModel } from './model/find-model.ts'
import { defaultHubUrl, smolLm2, smolLm2Sources } from './model/model-files.ts'
import { defaultSettings, defaultThreads, parseSettings, type LocalEngineOptions } from './options.ts'
import type { EngineProcessMessage } from './process-messages.ts'

function readOptions(): LocalEngineOptions {
  const modelPath = process.env['CHATTERBOT_MODEL_PATH']
  return {
    ...defaultSettings,
    cacheFolder: defaultCacheFolder({ platform: process.platform, home: homedir(), environment: process.env }),
    hubUrl: defaultHubUrl,
    python: process.platform === 'win32' ? 'python' : 'python3',
    threads: defaultThreads(availableParallelism()),
    ...(modelPath === undefined || modelPath === '' ? {} : { modelPath }),
    ...parseSettings(process.argv[2] ?? '{}'),
  }
}

async function start(options: LocalEngineOptions, stopped: AbortSignal): Promise<EngineServer> {
  const { modelPath: configuredPath, modelName, ...rest } = options
  const modelPath = await findModel({ ...rest, configuredPath, file: smolLm2, sources: smolLm2Sources, signal: stopped, onProgress: (progress) => report({ progress }) })
  // Half a second goes into loading the library: faults of the settings are told without it.
  const { engineVersion, loadLlama } = await import('./engine/llama-runtime.ts')
  const runtime = await loadLlama({ ...rest, modelPath, log })
  stopped.throwIfAborted()
  const metrics = new EngineMetrics(modelName)
  const server = new EngineServer({
    name: modelName,
    runtime,
    engine: new Engine(runtime, { maxWaiting: options.maxWaiting, metrics }),
    metrics,
    fingerprint: await engineVersion(),
    loadedAt: Math.floor(Date.now() / 1000),
    keepAliveMs: options.keepAliveMs,
    log,
  })
  const port = await server.listen(options.port)
  report({ ready: true, port, model: modelName, max_model_len: runtime.maxModelLen })
  return server
}

async function main(): Promise<void> {
  const options = readOptions()
  const stop = new AbortController()
  const starting = start(options, stop.signal)

  // Not `once`: a dependency has a handler of its own, which kills the process if it finds no other registered.
  process.on('SIGTERM', () => {
    if (stop.signal.aborted) return
    stop.abort(new Error('stopped while starting'))
    void starting.then((server) => server.stop(options.drainMs)).finally(() => process.exit(0))
  })
  if (options.exitWithStdin) {
    // A Ctrl-C in the terminal reaches the parent too, which then stops this process when its own work is done.
    process.on('SIGINT', () => {})
    process.stdin.once('close', () => {
      stop.abort(new Error('the parent is gone'))
      process.exit(0)
    })
    process.stdin.on('error', () => {}).resume()
  } else {
    process.on('SIGINT', () => process.kill(process.pid, 'SIGTERM'))
  }
  try {
    await starting
  } catch (error) {
    if (!stop.signal.aborted) throw error
  }
}

function log(line: string): void {
  write(2, `${line}\n`)
}

function report(message: EngineProcessMessage): void {
  write(1, `${JSON.stringify(message)}\n`)
}

/** At once, so that the last words are out before an exit. A reader that is gone is no reason to fail. */
function write(descriptor: 1 | 2, text: string): void {
  try {
    writeSync(descriptor, text)
  } catch {
    // Nobody is there to be told.
  }
}

try {
  await main()
} catch (error) {
  const isConfig = error instanceof EngineConfigError
  if (!isConfig) log(error instanceof Error ? (error.stack ?? error.message) : String(error))
  report({ ready: false, code: isConfig ? error.code : 'internal', message: error instanceof Error ? error.message : String(error) })
  process.exit(isConfig ? configErrorExitCode : 1)
}
