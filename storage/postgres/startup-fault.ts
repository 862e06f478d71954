import pg from 'pg'
import { ChatError } from '../../protocol/errors.ts'
import { exitCodes, StartupFault } from '../../platform/lifecycle/startup-fault.ts'

/** What the operator is told of an error that the storage's start rejects with; one that is no operator's business stays as it is. */
export function asStartupFault(error: unknown): unknown {
  if (error instanceof ChatError && error.code === 'unavailable') return new StartupFault('The database cannot be reached.', 'See that it runs, and that DATABASE_URL is right.', { cause: error })
  if (!(error instanceof pg.DatabaseError) || error.code === undefined) return error
  const options = { exitCode: exitCodes.config, cause: error }
  if (error.code.startsWith('28')) return new StartupFault('The database refuses the credentials.', 'See that user and password in DATABASE_URL are right.', options)
  if (error.code === '3D000') return new StartupFault(`The database server has no such database: ${error.message}.`, 'Create it, or name another in DATABASE_URL.', options)
  if (error.code === '42501') return new StartupFault(`The database user may not do what is needed: ${error.message}.`, 'Let a user who owns the database run the migrations, or name one in DATABASE_URL.', options)
  return error
}
