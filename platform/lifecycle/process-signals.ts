/**
 * Ends a process well. SIGTERM, SIGINT and SIGHUP drain and stop it, a second one ends it at once. What nobody caught ends
 * it at once too, as its state cannot be trusted any more. Logs are flushed first.
 */
import { constants } from 'node:os'
import type { Readable } from 'node:stream'
import type { LogSink } from '../logging/logger.ts'
import type { Service } from './service.ts'

/** A Ctrl-C reaches a program under `npm` twice: from the terminal, and from npm, which passes it on. */
const sameSignalMs = 500

const signals = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const

/** Exits with 0 when all went well, 1 when something failed, and 128 + the signal's number when told twice. */
export function endOnSignals(services: Service, logger: LogSink): void {
  let since: number | null = null

  const stop = async (): Promise<void> => {
    let code = 0
    try {
      await services.drain?.()
      await services.stop()
      logger.info('stopped')
    } catch (error) {
      code = 1
      logger.error({ err: error }, 'stop failed')
    }
    await logger.close()
    process.exit(code)
  }

  for (const signal of signals) {
    process.on(signal, () => {
      if (since === null) {
        since = performance.now()
        logger.info({ signal }, 'stopping; once more to end at once')
        void stop()
      } else if (performance.now() - since > sameSignalMs) {
        logger.warn({ signal }, 'ending at once')
        logger.flush()
        process.exit(128 + constants.signals[signal])
      }
    })
  }

  // Rejections that nobody handles come here as well.
  process.on('uncaughtException', (error, origin) => {
    logger.fatal({ err: error, origin }, 'a fault that nobody caught')
    logger.flush()
    process.exit(1)
  })
}

/** A process whose starter is gone has nobody to wait for it. */
const stopWithoutStarterMs = 3_000

/**
 * Ends the process when its standard input does, which is when whoever holds the other end has died: without draining, and
 * within 3 s. Exits with 1.
 */
export function endWithInput(services: Service, logger: LogSink, input: Readable = process.stdin): void {
  const end = async (): Promise<void> => {
    logger.warn('the process that started this one is gone')
    const late = new Promise((resolve) => setTimeout(resolve, stopWithoutStarterMs))
    await Promise.race([late, services.stop().catch((error: unknown) => logger.error({ err: error }, 'stop failed'))])
    logger.flush()
    process.exit(1)
  }
  input.on('error', () => {}).once('close', () => void end()).resume()
}
