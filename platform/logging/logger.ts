/** Structured logs, one line an event. Never text of messages, never secrets, never a line per token. */
import pino from 'pino'

export const logLevels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const
export type LogLevel = (typeof logLevels)[number]

type Write = { (fields: Record<string, unknown>, message: string): void; (message: string): void }

/** `err` in the fields is written with its type, code, stack and causes, with credentials taken out of connection strings. */
export interface Logger {
  readonly trace: Write
  readonly debug: Write
  readonly info: Write
  readonly warn: Write
  readonly error: Write
  readonly fatal: Write
  child(fields: Record<string, unknown>): Logger
}

export interface LogSink extends Logger {
  child(fields: Record<string, unknown>): Logger
  /** Writes out what is buffered, synchronously: before the process exits. */
  flush(): void
  close(): void
}

export interface LoggerOptions {
  readonly level: LogLevel
  /** Of the process: `edge`, `bridge`, `standalone`. */
  readonly name: string
  /** File descriptor; standard output where absent. */
  readonly fd?: number
}

const secretFields = ['token', 'password', 'secret', 'api_key', 'apiKey', 'authorization', 'cookie', 'connectionString', 'text', 'content', 'messages', 'system']
const redacted = secretFields.flatMap((field) => [field, `*.${field}`, `*.*.${field}`])

const flushEveryMs = 500

export function createLogger({ level, name, fd = 1 }: LoggerOptions): LogSink {
  const destination = pino.destination({ fd, sync: false, minLength: 4096 })
  const logger = pino(
    {
      level,
      name,
      base: { name, pid: process.pid },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      redact: { paths: redacted, censor: '[redacted]' },
      serializers: { err: (error: unknown) => describeError(error) },
    },
    destination,
  )
  const flush = (): void => {
    try {
      destination.flushSync()
    } catch {
      // Not open yet, or closed by its reader: there is nowhere left to write to.
    }
  }
  const timer = setInterval(() => destination.flush(), flushEveryMs)
  timer.unref()
  // pino's own type asks for message templates that this narrower interface leaves out.
  return Object.assign(Object.create(logger) as Logger, {
    flush,
    close: () => {
      clearInterval(timer)
      flush()
    },
  })
}

interface ErrorDescription {
  readonly type: string
  readonly message: string
  readonly code?: string
  readonly stack?: string
  readonly cause?: ErrorDescription
}

const deepestCause = 4

function describeError(error: unknown, depth = 0): ErrorDescription | undefined {
  if (error === undefined || error === null) return undefined
  if (!(error instanceof Error)) return { type: typeof error, message: maskCredentials(String(error)) }
  const code = (error as { code?: unknown }).code
  const cause = depth < deepestCause && error.cause !== undefined ? describeError(error.cause, depth + 1) : undefined
  return {
    type: error.name,
    message: maskCredentials(error.message),
    ...(typeof code === 'string' ? { code } : {}),
    ...(error.stack === undefined ? {} : { stack: maskCredentials(error.stack) }),
    ...(cause === undefined ? {} : { cause }),
  }
}

/** `scheme://user:password@host` without user and password. */
export function maskCredentials(text: string): string {
  return text.replace(/([a-z][a-z0-9+.-]*:\/\/)[^\s/@]+@/gi, '$1***@')
}
