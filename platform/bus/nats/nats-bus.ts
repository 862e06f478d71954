/**
 * The bus over NATS 2.12 or later with JetStream: a connection that is renewed for ever, and a channel and a job queue on
 * it. Once started, a server that goes away is waited for.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { connect, errors, type NatsConnection } from '@nats-io/transport-node'
import { JetStreamApiError } from '@nats-io/jetstream'
import { busMessageBytes } from '../../../protocol/bus/subjects.ts'
import { once } from '../../lifecycle/once.ts'
import type { Service } from '../../lifecycle/service.ts'
import { exitCodes, StartupFault } from '../../lifecycle/startup-fault.ts'
import type { Logger } from '../../logging/logger.ts'
import type { Channel } from '../channel.ts'
import { defaultDeadLetterLimits, type DeadLetterLimits, type DeadLetters } from '../dead-letters.ts'
import { defaultJobQueueLimits, type JobQueue, type JobQueueLimits } from '../job-queue.ts'
import { connectionOptions, serverNames } from './connection-options.ts'
import { NatsChannel } from './nats-channel.ts'
import { NatsDeadLetters } from './nats-dead-letters.ts'
import { NatsJobQueue } from './nats-job-queue.ts'
import { NatsLink } from './nats-link.ts'

export interface NatsBusOptions {
  /** `nats:` or `tls:`, of one cluster. */
  readonly urls: readonly string[]
  /** Of this process, for the server's operators. */
  readonly name: string
  readonly logger: Logger
  /** Servers that hold each job and each dead letter; 1 where absent. */
  readonly replicas?: number
  readonly limits?: JobQueueLimits
  readonly deadLetterLimits?: DeadLetterLimits
  /** False: leaves the streams as they are, and has no job queue; for a command beside the processes. */
  readonly keepsStreams?: boolean
  /** How long `start` waits for a server that is not there yet; 30 s where absent. */
  readonly connectWithinMs?: number
}

const oldest = { major: 2, minor: 12 }
const retryMs = 500

export class NatsBus implements Service {
  readonly name = 'nats'
  readonly #options: NatsBusOptions
  readonly #stopping = new AbortController()
  #starting: Promise<void> | undefined
  #link: NatsLink | undefined
  #channel: NatsChannel | undefined
  #jobQueue: NatsJobQueue | undefined
  #deadLetters: NatsDeadLetters | undefined

  constructor(options: NatsBusOptions) {
    this.#options = options
  }

  /** Once started. */
  get channel(): Channel {
    if (this.#channel === undefined) throw new Error('the bus is not started')
    return this.#channel
  }

  /** Once started. */
  get jobQueue(): JobQueue {
    if (this.#jobQueue === undefined) throw new Error('the bus is not started')
    return this.#jobQueue
  }

  /** Once started. */
  get deadLetters(): DeadLetters {
    if (this.#deadLetters === undefined) throw new Error('the bus is not started')
    return this.#deadLetters
  }

  /** Rejects with StartupFault where no server is reached, or it is not what this needs. */
  start(): Promise<void> {
    this.#starting ??= this.#start()
    return this.#starting
  }

  readonly stop = once(async () => {
    this.#stopping.abort()
    await this.#starting?.catch(() => undefined)
    await this.#channel?.close()
    await this.#jobQueue?.close()
    await this.#deadLetters?.close()
    await this.#link?.close()
  })

  async #start(): Promise<void> {
    const { logger, limits = defaultJobQueueLimits, deadLetterLimits = defaultDeadLetterLimits, replicas = 1, keepsStreams = true } = this.#options
    const connection = await this.#connect()
    const link = new NatsLink(connection, logger)
    this.#link = link
    this.#requireServer(connection)
    try {
      if (keepsStreams) this.#jobQueue = await NatsJobQueue.open(link, { ...limits, replicas }, logger)
      this.#deadLetters = await NatsDeadLetters.open(link, keepsStreams ? { ...deadLetterLimits, replicas } : null, logger)
    } catch (error) {
      throw this.#jetStreamFault(error)
    }
    this.#channel = new NatsChannel(link, logger)
    logger.info({ server: connection.getServer(), version: connection.info?.version }, 'connected to NATS')
  }

  async #connect(): Promise<NatsConnection> {
    const { urls, name, logger, connectWithinMs = 30_000 } = this.#options
    const until = performance.now() + connectWithinMs
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await connect(connectionOptions(urls, name))
      } catch (error) {
        if (error instanceof errors.AuthorizationError) throw new StartupFault(`NATS at ${this.#servers} refuses the credentials.`, 'See that user and password in NATS_URL are right.', { exitCode: exitCodes.config, cause: error })
        if (performance.now() > until || this.#stopping.signal.aborted) throw new StartupFault(`NATS cannot be reached at ${this.#servers}.`, 'See that it runs, and that NATS_URL is right.', { cause: error })
        if (attempt === 1) logger.warn({ err: error, servers: this.#servers }, 'NATS cannot be reached yet')
        await delay(retryMs, undefined, { signal: this.#stopping.signal }).catch(() => undefined)
      }
    }
  }

  #requireServer(connection: NatsConnection): void {
    const { version = '0', max_payload = 0 } = connection.info ?? {}
    const [major = 0, minor = 0] = version.split('.').map(Number)
    if (major < oldest.major || (major === oldest.major && minor < oldest.minor)) {
      throw new StartupFault(`NATS at ${this.#servers} has version ${version}, and ${oldest.major}.${oldest.minor} or later is needed.`, 'Upgrade nats-server.', { exitCode: exitCodes.config })
    }
    if (max_payload < busMessageBytes) {
      throw new StartupFault(`NATS at ${this.#servers} takes messages of ${max_payload} bytes, and ${busMessageBytes} are needed.`, 'Set max_payload of nats-server to 1MB, its default.', { exitCode: exitCodes.config })
    }
  }

  #jetStreamFault(error: unknown): unknown {
    if (error instanceof Error && error.name === 'JetStreamNotEnabled') return new StartupFault(`NATS at ${this.#servers} has no JetStream.`, 'Start nats-server with -js, or set jetstream in its configuration.', { exitCode: exitCodes.config, cause: error })
    if (error instanceof JetStreamApiError) return new StartupFault(`NATS at ${this.#servers} cannot hold the job queue: ${error.message}.`, 'See what JetStream of nats-server may use, and how many servers the cluster has.', { cause: error })
    return error
  }

  get #servers(): string {
    return serverNames(this.#options.urls).join(', ')
  }
}
