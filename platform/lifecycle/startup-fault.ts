/** Exit codes of sysexits.h. */
export const exitCodes = { config: 78, unavailable: 69, software: 70, cannotCreate: 73, noPermission: 77 } as const

/** Why the process cannot start, and what its operator can do about it. Printed as it is, without a stack. */
export class StartupFault extends Error {
  override readonly name = 'StartupFault'
  readonly hint: string
  readonly exitCode: number

  constructor(message: string, hint: string, options: { readonly exitCode?: number; readonly cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.hint = hint
    this.exitCode = options.exitCode ?? exitCodes.unavailable
  }
}
