/** Connections to one Postgres server. */
import pg from 'pg'
import type { Logger } from '../../platform/logging/logger.ts'

/** `close` resolves once every connection has ended, which pg.Pool's own `end` does not wait for. */
export type Pool = pg.Pool & { close(): Promise<void> }
export type Client = pg.PoolClient

/** How long a caller waits for a connection, new or from the pool. */
const connectMs = 2_000
/** By the server. */
const statementMs = 5_000
/** By this process, for a server that does not answer at all: the connection is given up. */
const silenceMs = 7_000
/** A process that stands still must have lost its locks before it counts as dead, 5 s after its last sign of life. */
const idleInTransactionMs = 4_000
/** Longer than what the process does every so often rests between two times: a new connection costs the server more than the work. */
const idleMs = 60_000

/**
 * Every statement of the store goes along an index, whatever its parameters: it is planned once a connection. A plan must
 * not change to scanning a table because its statistics are of a time when it was empty, as a new month's partition is.
 * A scan that is forbidden and cannot be helped, of a few rows in memory, counts as immensely dear: such statements would
 * be compiled to machine code each time, which takes a hundred times as long as they do.
 */
const planning = '-c plan_cache_mode=force_generic_plan -c enable_seqscan=off -c enable_bitmapscan=off -c jit=off'

const int8 = 20
const types: pg.CustomTypesConfig = {
  // Ids, counts and epochs fit into 53 bits.
  getTypeParser: ((oid: number, format?: 'text' | 'binary') => (oid === int8 && format !== 'binary' ? Number : pg.types.getTypeParser(oid, format))) as pg.CustomTypesConfig['getTypeParser'],
}

export interface PoolOptions {
  readonly url: string
  readonly max: number
  readonly applicationName: string
  readonly logger: Logger
  /** PGlite: all connections are one session, which keeps the prepared statements of those before. */
  readonly embedded: boolean
  /** For cursors: one statement at a time, whose user gives up on the server by himself. */
  readonly forCursors?: boolean
}

/** Statements of a connection are sent without waiting for one another's results (pipelining); each fails for itself. */
export function createPool({ url, max, applicationName, logger, embedded, forCursors = false }: PoolOptions): Pool {
  const pool = new pg.Pool({
    connectionString: url,
    max,
    types,
    pipeline: !forCursors,
    application_name: applicationName,
    options: planning,
    connectionTimeoutMillis: connectMs,
    statement_timeout: statementMs,
    ...(forCursors ? {} : { query_timeout: silenceMs }),
    idle_in_transaction_session_timeout: idleInTransactionMs,
    idleTimeoutMillis: idleMs,
    keepAlive: true,
    // The pool waits for it, which its types do not say.
    // oxlint-disable-next-line typescript/no-misused-promises
    ...(embedded ? { onConnect: forgetStatements } : {}),
  })
  // An error of an idle connection: it has left the pool, and its next user gets another.
  pool.on('error', (error) => logger.warn({ err: error }, 'lost an idle connection to Postgres'))
  const open = new Set<Promise<void>>()
  pool.on('connect', (client) => {
    // An error of a connection in use also rejects its statements; without a listener it would end the process.
    client.on('error', () => {})
    const ended = new Promise<void>((resolve) => client.once('end', () => resolve())).then(() => void open.delete(ended))
    open.add(ended)
  })
  const close = async (): Promise<void> => {
    await pool.end()
    await Promise.all(open)
  }
  return Object.assign(pool, { close })
}

async function forgetStatements(client: pg.ClientBase): Promise<void> {
  await client.query('DEALLOCATE ALL')
}
