/** What an error of `pg` means for the one who ran the statement. */
import pg from 'pg'
import { ChatError } from '../../protocol/errors.ts'
import { StorageSetupError } from './setup-error.ts'

const { DatabaseError } = pg
type DatabaseError = InstanceType<typeof DatabaseError>

/**
 * Postgres refuses what a row holds (SQLSTATE classes 22, data exception, and 23, constraint violation): the same row
 * would be refused again. A row that finds no partition has code 23514 too, but names no constraint, and is no such fault.
 */
export function isRowFault(error: unknown): error is DatabaseError & { readonly code: string } {
  if (!(error instanceof DatabaseError) || error.code === undefined) return false
  return (error.code.startsWith('22') || error.code.startsWith('23')) && !isMissingPartition(error)
}

export function isMissingPartition(error: unknown): boolean {
  return error instanceof DatabaseError && error.code === '23514' && error.constraint === undefined
}

/** No table of this name. */
export function isMissingTable(error: unknown): boolean {
  return error instanceof DatabaseError && error.code === '42P01'
}

/** Connection exceptions, wrong transaction state (as on a standby), rollbacks, resources, locks and timeouts, shutdown, system errors. */
const passingClasses = new Set(['08', '25', '40', '53', '55', '57', '58'])
/** Prepared statements are not as this connection believes: forgotten, or there already. A pooler in between may do so. */
const confusedStatements = new Set(['26000', '42P05'])

/** Errors of sockets and of the client library have no class of their own; those of this program have. */
const ownErrors = [ChatError, StorageSetupError, TypeError, RangeError, ReferenceError]

/** The same statement may succeed later, or on another connection. */
export function isPassing(error: unknown): boolean {
  if (error instanceof DatabaseError) return error.code !== undefined && (passingClasses.has(error.code.slice(0, 2)) || confusedStatements.has(error.code))
  return error instanceof Error && !ownErrors.some((own) => error instanceof own)
}

/** Whether the statement had an effect is unknown, and this connection is of no more use. */
export function isLostConnection(error: unknown): boolean {
  if (error instanceof DatabaseError) return error.code !== undefined && (error.code.startsWith('08') || error.code.startsWith('57P') || confusedStatements.has(error.code))
  return isPassing(error)
}

/** What callers of the store see. */
export function asChatError(error: unknown): unknown {
  return isPassing(error) ? new ChatError('unavailable', undefined, { cause: error }) : error
}
