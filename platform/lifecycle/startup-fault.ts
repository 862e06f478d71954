/** Exit codes of sysexits.h. */
export const exitCodes = { usage: 64, unavailable: 69, config: 78 } as const

/** Why the process cannot start, and what its operator can do about it. Told as it is, without a stack. */
export class StartupFault extends Error {
  override readonly name = 'StartupFault'
  readonly hint: string
  readonly exitCode: number

  /** `exitCode`: 69, service unavailable, where absent. */
  constructor(message: string, hint: string, options: { readonly exitCode?: number; readonly cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.hint = hint
    this.exitCode = options.exitCode ?? exitCodes.unavailable
  }
}
