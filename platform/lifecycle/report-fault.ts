import { StartupFault } from './startup-fault.ts'

/** Ends the process that cannot start: what its operator can mend is told as it is, anything else with its stack. */
export function reportAndExit(error: unknown): never {
  const fault = error instanceof StartupFault ? error : null
  process.stderr.write(fault === null ? `\n${error instanceof Error ? error.stack : String(error)}\n` : `\n${fault.message}\n\nWhat to do: ${fault.hint}\n`)
  process.exit(fault?.exitCode ?? 1)
}
