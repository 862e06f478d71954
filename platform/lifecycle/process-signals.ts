/**
 * Ends a process well: SIGTERM and SIGINT drain and stop it, a second one ends it at once; what nobody caught ends it
 * too, as its state cannot be trusted any more. Logs are flushed first.
 */
import type { LogSink } from '../logging/logger.ts'
import type { Service } from './service.ts'

/** Exit code of a process ended by a signal: 128 + its number. */
const interrupted = { SIGINT: 130, SIGTERM: 143 } as const

export function endOnSignals(services: Service, logger: LogSink, end: (code: number) => never = process.exit): void {
  let ending = false
  const exit = (code: number): never => {
    logger.flush()
    return end(code)
  }
  const onSignal = (signal: 'SIGINT' | 'SIGTERM'): void => {
    if (ending) exit(interrupted[signal])
    ending = true
    logger.info({ signal }, 'draining; again to end at once')
    const stop = async (): Promise<void> => {
      await services.drain?.()
      await services.stop()
    }
    stop().then(
      () => exit(0),
      (error: unknown) => {
        logger.fatal({ err: error }, 'stop failed')
        exit(1)
      },
    )
  }
  process.on('SIGINT', () => onSignal('SIGINT'))
  process.on('SIGTERM', () => onSignal('SIGTERM'))
  process.on('uncaughtException', (error) => {
    logger.fatal({ err: error }, 'uncaught exception')
    exit(1)
  })
  process.on('unhandledRejection', (reason) => {
    logger.fatal({ err: reason }, 'unhandled rejection')
    exit(1)
  })
}
