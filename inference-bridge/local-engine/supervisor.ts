import { setTimeout as sleep } from 'node:timers/promises'
import type { Service } from '../../platform/lifecycle/service.ts'
import { configErrorExitCode, EngineConfigError, type EngineConfigErrorCode } from './config-error.ts'
import { EngineChild, type Exit } from './engine-child.ts'
import type { FindModelProgress } from './model/find-model.ts'
import { defaultSettings, type LocalEngineSettings } from './options.ts'

export type SupervisorState =
  | { readonly status: 'stopped' }
  | { readonly status: 'starting' }
  | { readonly status: 'ready'; readonly url: string; readonly model: string; readonly maxModelLen: number; readonly pid: number | undefined }
  /** The process died; a new one will be started. */
  | { readonly status: 'waiting'; readonly delayMs: number; readonly reason: string }
  | { readonly status: 'stopping' }
  /** No new process will be started until somebody calls `start`. */
  | { readonly status: 'failed'; readonly message: string }

export interface SupervisorOptions {
  readonly engine: LocalEngineSettings
  /** What the process writes to stderr, line by line, cut at 8 KiB. */
  readonly onLog: (line: string) => void
  readonly onProgress: (progress: FindModelProgress) => void
  readonly restart?: Partial<RestartPolicy>
}

export interface RestartPolicy {
  /** Before the first restart; doubled with each further one, less a random part of up to a half. */
  readonly firstDelayMs: number
  readonly maxDelayMs: number
  /** A process that was ready for so long did not die of its start: the delays begin anew. */
  readonly stableAfterMs: number
  /** How often the first start is tried before `start` rejects. Later deaths are followed by restarts without end. */
  readonly startAttempts: number
}

const defaultRestart: RestartPolicy = { firstDelayMs: 200, maxDelayMs: 10_000, stableAfterMs: 60_000, startAttempts: 3 }
/** What a process gets beyond its own drain deadline before it is killed. */
const stopGraceMs = 3_000

/**
 * Keeps one local engine running.
 *
 * stopped -> starting -> ready; a process that dies leads to waiting and then starting again, on the port it had. A
 * fault that only a person can mend leads to failed at once, as does a first start that fails too often; `start` rejects
 * then, and may be called again. stop leads from anywhere over stopping to stopped.
 */
export class LocalEngineSupervisor implements Service {
  readonly name = 'local-engine'
  readonly #options: SupervisorOptions
  readonly #restart: RestartPolicy
  readonly #listeners = new Set<(state: SupervisorState) => void>()
  #state: SupervisorState = { status: 'stopped' }
  #child: EngineChild | undefined
  /** Chosen by the system at the first start, and kept, so that the address stays good. */
  #port: number | undefined
  #starting: Promise<void> | undefined
  #supervising: Promise<void> | undefined
  #stopping: Promise<void> | undefined
  /** Of the latest start. */
  #stop = new AbortController()

  constructor(options: SupervisorOptions) {
    this.#options = options
    this.#restart = { ...defaultRestart, ...options.restart }
  }

  get state(): SupervisorState {
    return this.#state
  }

  /** Where the engine listens, while it is ready. */
  get url(): string | undefined {
    return this.#state.status === 'ready' ? this.#state.url : undefined
  }

  /** Returns what ends the subscription. */
  onStateChange(listener: (state: SupervisorState) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Resolves when the engine is ready for the first time. Rejects with EngineConfigError where a person must mend something. */
  start(): Promise<void> {
    if (this.#starting === undefined) {
      this.#stop = new AbortController()
      this.#starting = this.#begin(this.#stop.signal)
    }
    return this.#starting
  }

  stop(): Promise<void> {
    this.#starting = undefined
    this.#stop.abort(new Error('The local engine was stopped.'))
    this.#stopping ??= this.#end().finally(() => {
      this.#stopping = undefined
    })
    return this.#stopping
  }

  async #begin(stopped: AbortSignal): Promise<void> {
    await this.#stopping
    stopped.throwIfAborted()
    await new Promise<void>((resolve, reject) => {
      this.#supervising = this.#supervise(stopped, resolve).catch((error: Error) => {
        if (stopped === this.#stop.signal) this.#starting = undefined
        reject(error)
      })
    })
  }

  async #end(): Promise<void> {
    if (this.#supervising === undefined) return
    this.#setState({ status: 'stopping' })
    await this.#child?.stop((this.#options.engine.drainMs ?? defaultSettings.drainMs) + stopGraceMs)
    await this.#supervising
    this.#supervising = undefined
    this.#setState({ status: 'stopped' })
  }

  /** Runs one process after the other. Rejects when stopped, if the engine never gets ready, or if it never will again. */
  async #supervise(stopped: AbortSignal, onReady: () => void): Promise<void> {
    let hasBeenReady = false
    let failures = 0
    try {
      for (;;) {
        const { exit, readyForMs } = await this.#runOnce(stopped, () => {
          hasBeenReady = true
          onReady()
        })
        stopped.throwIfAborted()
        failures = readyForMs >= this.#restart.stableAfterMs ? 1 : failures + 1
        this.#throwIfLasting(exit)
        const reason = reasonOf(exit)
        if (!hasBeenReady && failures >= this.#restart.startAttempts) throw new Error(`The local engine does not start: ${reason}.`)
        const delayMs = this.#delayMs(failures)
        this.#setState({ status: 'waiting', delayMs, reason })
        await sleep(delayMs, undefined, { signal: stopped })
      }
    } catch (error) {
      if (stopped.aborted) throw stopped.reason
      this.#setState({ status: 'failed', message: error instanceof Error ? error.message : String(error) })
      throw error
    }
  }

  async #runOnce(stopped: AbortSignal, onReady: () => void): Promise<{ readonly exit: Exit; readonly readyForMs: number }> {
    this.#setState({ status: 'starting' })
    const { engine, onLog, onProgress } = this.#options
    const child = new EngineChild({ ...engine, port: this.#port ?? engine.port ?? defaultSettings.port }, { onLog, onProgress })
    this.#child = child
    const ready = await child.ready
    const readyAt = performance.now()
    if (ready !== null && !stopped.aborted) {
      this.#port = ready.port
      this.#setState({ status: 'ready', url: `http://127.0.0.1:${ready.port}`, model: ready.model, maxModelLen: ready.max_model_len, pid: child.pid })
      onReady()
    }
    const exit = await child.exited
    this.#child = undefined
    return { exit, readyForMs: ready === null ? 0 : performance.now() - readyAt }
  }

  /** Throws where another start would end the same way. */
  #throwIfLasting({ code, refusal }: Exit): void {
    if (code !== configErrorExitCode) return
    const mayTakeAnotherPort = (this.#options.engine.port ?? defaultSettings.port) === 0
    if (refusal?.code === 'port_in_use' && mayTakeAnotherPort) this.#port = undefined
    else throw new EngineConfigError((refusal?.code ?? 'options_invalid') as EngineConfigErrorCode, refusal?.message ?? 'The local engine cannot run as it is configured.')
  }

  #delayMs(failures: number): number {
    const full = Math.min(this.#restart.maxDelayMs, this.#restart.firstDelayMs * 2 ** (failures - 1))
    return full * (1 - Math.random() / 2)
  }

  #setState(state: SupervisorState): void {
    this.#state = state
    for (const listener of this.#listeners) listener(state)
  }
}

function reasonOf({ code, signal, refusal }: Exit): string {
  return refusal?.message ?? (signal === null ? `exit code ${code}` : `killed by ${signal}`)
}
