/** What was refused for a window of a plan, so that transports can tell of the window as well. */
import { ChatError, type ErrorCode } from '../../protocol/errors.ts'
import type { WindowName } from '../../platform/limits/plan.ts'

export class LimitError extends ChatError {
  readonly window: WindowName
  /** Of a whole window. */
  readonly points: number

  /** `resetMs`: until the window ends, and with it the wait. */
  constructor(code: ErrorCode, message: string, { window, points, resetMs }: { readonly window: WindowName; readonly points: number; readonly resetMs: number }) {
    super(code, message, { retryAfterMs: resetMs })
    this.window = window
    this.points = points
  }

  /** The same, with what is left of the wait after so long. */
  after(passedMs: number): LimitError {
    const { code, message, window, points } = this
    return new LimitError(code, message, { window, points, resetMs: Math.max(0, (this.retryAfterMs ?? 0) - passedMs) })
  }
}
