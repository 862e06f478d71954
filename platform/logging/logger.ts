/** Structured logs, one line an event. Never text of messages, never secrets, never a line per token. */
import { isatty } from 'node:tty'
import pino from 'pino'
import { redactFields, redactString } from './redact.ts'
import { terminalLine } from './terminal-lines.ts'

export const logLevels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const
export type LogLevel = (typeof logLevels)[number]

interface Write {
  (fields: Readonly<Record<string, unknown>>, message: string): void
  (message: string): void
}

/** Errors in the fields, by custom under `err`, are written with type, code, message, stack and causes. */
export interface Logger {
  readonly trace: Write
  readonly debug: Write
  readonly info: Write
  readonly warn: Write
  readonly error: Write
  readonly fatal: Write
  /** A logger whose lines bear these fields too. */
  child(fields: Readonly<Record<string, unknown>>): Logger
}

/** The logger of the process. */
export interface LogSink extends Logger {
  /** Writes out what is buffered, synchronously: where the process ends at once. */
  flush(): void
  /** Writes out what is buffered, within a second. Idempotent; lines still may follow. */
  close(): Promise<void>
}

export interface LoggerOptions {
  readonly level: LogLevel
  /** Of the process: `edge`, `bridge`, `standalone`. */
  readonly name: string
  /** For people rather than programs; absent: where the output is a terminal. */
  readonly pretty?: boolean
  /** File descriptor; standard output where absent. */
  readonly fd?: number
}

/** How long a line waits for others to be written with it. */
const flushAfterMs = 500
const closeWithinMs = 1_000
/** Lines that a reader of the output has not taken yet; those beyond are dropped, and their number is logged once it reads on. */
const mostBufferedBytes = 16 * 1024 * 1024

export function createLogger({ level, name, fd = 1, pretty = isatty(fd) }: LoggerOptions): LogSink {
  const destination = pino.destination({ fd, sync: false, minLength: 4096, maxLength: mostBufferedBytes })
  // Not every so often, as the library does when it is told to: that would wake a process that has nothing to tell.
  let flushTimer: NodeJS.Timeout | null = null
  const flushLater = (): void => {
    flushTimer ??= setTimeout(() => {
      flushTimer = null
      destination.flush()
    }, flushAfterMs).unref()
  }
  // A flush leaves what came during the write before it.
  destination.on('write', (bytes) => {
    if (bytes > 0) flushLater()
  })
  const logger = pino(
    {
      level,
      base: { name, pid: process.pid },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      // pino's own would describe the description.
      serializers: { err: (described: unknown) => described },
      hooks: {
        logMethod(args, method) {
          const [first, second] = args as unknown as [unknown, string | undefined]
          if (typeof first === 'string') method.call(this, redactString(first))
          else method.call(this, redactFields(first as Record<string, unknown>), redactString(second ?? ''))
          flushLater()
        },
        ...(pretty ? { streamWrite: terminalLine } : {}),
      },
    },
    destination,
  )

  // A full disk or a closed output costs lines of the log, and must not end the process that wrote them.
  destination.on('error', flushLater)
  let dropped = 0
  destination.on('drop', () => {
    dropped += 1
  })
  destination.on('drain', () => {
    if (dropped === 0) return
    const lines = dropped
    dropped = 0
    logger.warn({ lines }, 'log lines were dropped, as nobody read them')
  })

  // pino's own type asks for message templates, which this narrower interface leaves out. Its children inherit all this.
  return Object.assign(Object.create(logger) as Logger, {
    child(this: pino.Logger, fields: Readonly<Record<string, unknown>>): Logger {
      return logger.child.call(this, redactFields(fields)) as unknown as Logger
    },
    flush: () => {
      try {
        destination.flushSync()
      } catch {
        // Its reader is gone: there is nowhere left to write to.
      }
    },
    close: () =>
      new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, closeWithinMs)
        destination.flush(() => {
          clearTimeout(timer)
          resolve()
        })
      }),
  })
}
