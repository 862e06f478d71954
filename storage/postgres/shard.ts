/** One shard: its connections, and how statements are run on them. */
import type { Duplex } from 'node:stream'
import type { QueryResult, QueryResultRow } from 'pg'
import { ChatError } from '../../protocol/errors.ts'
import type { Logger } from '../../platform/logging/logger.ts'
import { isLostConnection } from './faults.ts'
import { createPool, type Client, type Pool } from './pool.ts'
import type { ShardConfig } from './shard-map.ts'
import type { Statement } from './statement.ts'

/** Group commit, first writes, claims, and signs of life or upkeep: what must not wait behind queries of users. */
const ownConnections = 4
const queryConnections = 8
/** Work that nobody waits for. */
const backgroundConnections = 1
/** Each is held for as long as somebody reads. */
const exportConnections = 4

export interface BoundStatement {
  readonly statement: Statement | string
  readonly values?: readonly unknown[]
}

export interface ShardOptions {
  readonly config: ShardConfig
  readonly applicationName: string
  readonly logger: Logger
}

export class Shard {
  readonly config: ShardConfig
  readonly replicas: readonly Pool[]
  readonly #own: Pool
  readonly #queries: Pool
  readonly #background: Pool
  readonly #exports: Pool
  readonly #exporting = new Set<(broken: boolean) => void>()
  #closed = false

  constructor({ config, applicationName, logger }: ShardOptions) {
    this.config = config
    const pool = (url: string, max: number, forCursors = false): Pool => createPool({ url, max, applicationName, logger: logger.child({ shard: config.name }), embedded: config.embedded, forCursors })
    this.#own = pool(config.primaryUrl, config.embedded ? 1 : ownConnections)
    this.#queries = config.embedded ? this.#own : pool(config.primaryUrl, queryConnections)
    this.#background = config.embedded ? this.#own : pool(config.primaryUrl, backgroundConnections)
    this.#exports = config.embedded ? this.#own : pool(config.primaryUrl, exportConnections, true)
    this.replicas = config.embedded ? [] : config.replicaUrls.map((url) => pool(url, queryConnections))
  }

  get name(): string {
    return this.config.name
  }

  /** On the primary. Tried once more where the connection turned out to be dead: only for statements that may run twice. */
  async read<Row extends QueryResultRow>(statement: Statement, values: readonly unknown[]): Promise<Row[]> {
    const query = { ...statement, values: [...values] }
    try {
      return (await this.#queries.query<Row>(query)).rows
    } catch (error) {
      if (!isLostConnection(error)) throw error
      return (await this.#queries.query<Row>(query)).rows
    }
  }

  /** On the primary, once, committed by itself. */
  async write<Row extends QueryResultRow>(statement: Statement, values: readonly unknown[]): Promise<Row[]> {
    return (await this.#queries.query<Row>({ ...statement, values: [...values] })).rows
  }

  /** Runs `task` on one of the connections that no query of a user takes. Whatever it throws rolls back. */
  withClient<T>(task: (client: Client) => Promise<T>): Promise<T> {
    return this.#with(this.#own, task)
  }

  /** The same on a connection that neither users nor this process wait for. */
  inBackground<T>(task: (client: Client) => Promise<T>): Promise<T> {
    return this.#with(this.#background, task)
  }

  /**
   * A connection for a cursor, to be released: closed where it is broken. Its reader may be slow or asleep, and `close` takes
   * it away. Rejects with ChatError `overloaded` where all are in use. Not where PGlite serves.
   */
  async connectForExport(): Promise<{ readonly client: Client; readonly release: (broken: boolean) => void }> {
    const { totalCount, idleCount, waitingCount } = this.#exports
    if (totalCount - idleCount + waitingCount >= exportConnections) throw new ChatError('overloaded', 'Too many exports are under way.')
    const client = await this.#exports.connect()
    const release = (broken: boolean): void => {
      if (this.#exporting.delete(release)) client.release(broken)
    }
    this.#exporting.add(release)
    if (this.#closed) {
      release(true)
      throw new ChatError('unavailable')
    }
    return { client, release }
  }

  async #with<T>(pool: Pool, task: (client: Client) => Promise<T>): Promise<T> {
    const client = await pool.connect()
    let result: T
    try {
      result = await task(client)
    } catch (error) {
      await this.#giveBack(client, error)
      throw error
    }
    client.release()
    return result
  }

  async close(): Promise<void> {
    this.#closed = true
    for (const release of this.#exporting) release(true)
    const pools = new Set([this.#own, this.#queries, this.#background, this.#exports, ...this.replicas])
    await Promise.all([...pools].map((pool) => pool.close()))
  }

  /** A connection that is lost, or cannot even roll back, is closed; the server rolls back then. */
  async #giveBack(client: Client, error: unknown): Promise<void> {
    const rolledBack = !isLostConnection(error) && (await client.query('ROLLBACK').then(() => true, () => false))
    client.release(!rolledBack)
  }
}

/**
 * Sends statements in one go, and returns their results in order. Throws the first error: inside a transaction those
 * after it fail only because of it. `patienceMs` replaces the connection's own wait for a server that does not answer.
 */
export async function pipeline(client: Pick<Client, 'query'>, statements: readonly BoundStatement[], patienceMs?: number): Promise<QueryResult[]> {
  const { stream } = (client as unknown as { readonly connection: { readonly stream: Duplex } }).connection
  // One write to the socket: that is what a statement costs most.
  stream.cork()
  const sent = statements.map(({ statement, values = [] }) => {
    const text = typeof statement === 'string' ? { text: statement } : statement
    return client.query({ ...text, values: [...values], ...(patienceMs === undefined ? {} : { query_timeout: patienceMs }) })
  })
  stream.uncork()
  const settled = await Promise.allSettled(sent)
  return settled.map((outcome) => {
    if (outcome.status === 'rejected') throw outcome.reason
    return outcome.value
  })
}
