/** One shard: its connections, and how statements are run on them. */
import type { Duplex } from 'node:stream'
import type { QueryResult, QueryResultRow } from 'pg'
import type { Logger } from '../../platform/logging/logger.ts'
import { isLostConnection } from './faults.ts'
import { createPool, type Client, type Pool } from './pool.ts'
import type { ShardConfig } from './shard-map.ts'
import type { Statement } from './statement.ts'

/** Group commit, claims, and signs of life or upkeep: what must not wait behind queries of users. */
const ownConnections = 3
const queryConnections = 8
/** Work that nobody waits for, and exports, which take long. */
const backgroundConnections = 2

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

  constructor({ config, applicationName, logger }: ShardOptions) {
    this.config = config
    const pool = (url: string, max: number): Pool => createPool({ url, max, applicationName, logger: logger.child({ shard: config.name }), embedded: config.embedded })
    this.#own = pool(config.primaryUrl, config.embedded ? 1 : ownConnections)
    this.#queries = config.embedded ? this.#own : pool(config.primaryUrl, queryConnections)
    this.#background = config.embedded ? this.#own : pool(config.primaryUrl, backgroundConnections)
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
    const pools = new Set([this.#own, this.#queries, this.#background, ...this.replicas])
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
