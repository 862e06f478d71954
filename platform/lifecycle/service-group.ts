/**
 * Services that make up a process: started in order, drained and stopped in reverse. Each step has a deadline; one that
 * misses it is logged, and the next goes on, so that a process always ends.
 */
import type { Logger } from '../logging/logger.ts'
import { once } from './once.ts'
import type { Service } from './service.ts'

export interface ServiceGroupOptions {
  readonly logger: Logger
  readonly drainDeadlineMs: number
  readonly stopDeadlineMs: number
}

export class ServiceGroup implements Service {
  readonly name = 'process'
  readonly #options: ServiceGroupOptions
  readonly #started: Service[] = []
  #stopping = false
  #starting: Promise<unknown> = Promise.resolve()

  constructor(options: ServiceGroupOptions) {
    this.#options = options
  }

  /** Nothing to do: services start as they are added. */
  start(): Promise<void> {
    return Promise.resolve()
  }

  /** Starts a service. Where that fails, those before it are stopped, and the error is thrown on. */
  async add<S extends Service>(service: S): Promise<S> {
    if (this.#stopping) throw new Error(`${service.name} is not started: the process stops`)
    this.#started.push(service)
    const starting = service.start()
    this.#starting = starting.catch(() => undefined)
    try {
      await starting
      return service
    } catch (error) {
      await this.stop()
      throw error
    }
  }

  readonly drain = once(async () => {
    for (const service of [...this.#started].reverse()) {
      if (service.drain) await this.#step(service, 'drain', this.#options.drainDeadlineMs, () => service.drain?.() ?? Promise.resolve())
    }
  })

  readonly stop = once(async () => {
    this.#stopping = true
    for (const service of [...this.#started].reverse()) await this.#step(service, 'stop', this.#options.stopDeadlineMs, () => service.stop())
    await this.#starting
  })

  async #step(service: Service, what: 'drain' | 'stop', deadlineMs: number, run: () => Promise<void>): Promise<void> {
    const { logger } = this.#options
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<'late'>((resolve) => {
      timer = setTimeout(() => resolve('late'), deadlineMs)
    })
    try {
      if ((await Promise.race([run(), late])) === 'late') logger.warn({ service: service.name, deadlineMs }, `${what} missed its deadline`)
    } catch (error) {
      logger.error({ err: error, service: service.name }, `${what} failed`)
    } finally {
      clearTimeout(timer)
    }
  }
}
