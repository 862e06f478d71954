/** Ends a process that cannot start. */
import type { LogSink } from '../logging/logger.ts'
import { StoppedWhileStarting } from './service-group.ts'
import { StartupFault } from './startup-fault.ts'

/**
 * Tells why on the logger, or on standard error where there is none yet, and exits: with the fault's code, or 1 where it
 * is none that we know. Does nothing when a signal stopped the process while it started: that ends it.
 */
export async function endOnFault(error: unknown, logger?: LogSink): Promise<void> {
  if (error instanceof StoppedWhileStarting) return
  const code = error instanceof StartupFault ? error.exitCode : 1
  if (logger === undefined) {
    process.stderr.write(error instanceof StartupFault ? `${error.message}\n${error.hint}\n` : `${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`)
  } else {
    if (error instanceof StartupFault) logger.fatal({ hint: error.hint, ...(error.cause === undefined ? {} : { err: error.cause }) }, error.message)
    else logger.fatal({ err: error }, 'cannot start')
    await logger.close()
  }
  process.exit(code)
}
