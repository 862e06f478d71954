/**
 * Services that make up a process: started in order, drained and stopped in reverse. Each step has a deadline; one that
 * fails or misses it is logged, and the next goes on, so that a process always ends.
 */
import type { Logger } from '../logging/logger.ts'
import { once } from './once.ts'
import type { Service } from './service.ts'

export interface ServiceGroupOptions {
  readonly logger: Logger
  /** For each service; two minutes where absent. */
  readonly startDeadlineMs?: number
  /** For each service. */
  readonly drainDeadlineMs: number
  /** For each service. */
  readonly stopDeadlineMs: number
}

/** Why `add` rejects once the group stops: nothing went wrong, and whoever stopped it goes on. */
export class StoppedWhileStarting extends Error {
  override readonly name = 'StoppedWhileStarting'
}

const defaultStartDeadlineMs = 120_000

export class ServiceGroup implements Service {
  readonly name = 'process'
  readonly #options: ServiceGroupOptions
  readonly #started: Service[] = []
  #stopping = false

  constructor(options: ServiceGroupOptions) {
    this.#options = options
  }

  /** Nothing to do: services start as they are added. */
  start(): Promise<void> {
    return Promise.resolve()
  }

  /** Starts a service. Where that fails or is late, it and those before it are stopped, and the error is thrown on. */
  async add<S extends Service>(service: S): Promise<S> {
    this.#refuseWhileStopping(service)
    this.#started.push(service)
    const { logger, startDeadlineMs = defaultStartDeadlineMs } = this.#options
    const began = performance.now()
    try {
      if ((await withinDeadline(service.start(), startDeadlineMs)) === 'late') throw new Error(`${service.name} did not start within ${startDeadlineMs} ms`)
    } catch (error) {
      this.#refuseWhileStopping(service, error)
      await this.stop().catch(() => undefined)
      throw error
    }
    this.#refuseWhileStopping(service)
    logger.debug({ service: service.name, ms: Math.round(performance.now() - began) }, 'started')
    return service
  }

  readonly drain = once(async () => {
    for (const service of [...this.#started].reverse()) {
      if (service.drain !== undefined && !this.#stopping) await this.#step(service, 'drain', this.#options.drainDeadlineMs)
    }
  })

  /** Rejects, after all, where a service failed to stop or missed its deadline. */
  readonly stop = once(async () => {
    this.#stopping = true
    const left: string[] = []
    for (const service of [...this.#started].reverse()) {
      if (!(await this.#step(service, 'stop', this.#options.stopDeadlineMs))) left.push(service.name)
    }
    if (left.length > 0) throw new Error(`not stopped cleanly: ${left.join(', ')}`)
  })

  #refuseWhileStopping(service: Service, cause?: unknown): void {
    if (this.#stopping) throw new StoppedWhileStarting(`${service.name} is not started, as the process stops`, { cause })
  }

  /** Whether it went well. */
  async #step(service: Service, step: 'drain' | 'stop', deadlineMs: number): Promise<boolean> {
    const { logger } = this.#options
    try {
      if ((await withinDeadline(service[step]?.(), deadlineMs)) === 'done') return true
      logger.warn({ service: service.name, deadlineMs }, `${step} missed its deadline`)
    } catch (error) {
      logger.error({ err: error, service: service.name }, `${step} failed`)
    }
    return false
  }
}

async function withinDeadline(work: Promise<void> | undefined, deadlineMs: number): Promise<'done' | 'late'> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<'late'>((resolve) => {
    timer = setTimeout(() => resolve('late'), deadlineMs)
  })
  try {
    return await Promise.race([work?.then((): 'done' => 'done') ?? ('done' as const), late])
  } finally {
    clearTimeout(timer)
  }
}
