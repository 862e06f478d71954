/** How a run ends, in the words of the bus. */
import type { Outcome } from '../../protocol/bus/finish.ts'
import { ChatError, type ErrorCode } from '../../protocol/errors.ts'

export function finished(reason: 'stop' | 'length'): Outcome {
  return { type: 'finished', reason }
}

/** The engine's own words stay in the log: they are not for people. */
export function failed(code: ErrorCode): Outcome {
  const { message, retryable } = new ChatError(code).toPublic()
  return { type: 'failed', error: { code, message, retryable } }
}
