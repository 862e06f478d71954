/** What the command lines of operators' programs have in common. */
import { parseArgs, type ParseArgsConfig } from 'node:util'
import { readConfig, type Config } from '../platform/config/config.ts'
import { reportAndExit } from '../platform/lifecycle/report-fault.ts'
import { exitCodes } from '../platform/lifecycle/startup-fault.ts'

/** What was not understood, in words for people. */
export class UsageFault extends Error {
  override readonly name = 'UsageFault'
}

/** Throws UsageFault. */
export function parseCommandLine<Options extends NonNullable<ParseArgsConfig['options']>>(args: readonly string[], options: Options) {
  try {
    return parseArgs({ args: [...args], options, allowPositionals: true })
  } catch (error) {
    throw new UsageFault(error instanceof Error ? error.message : String(error))
  }
}

export interface Output {
  print(text: string): void
  complain(text: string): void
}

export interface OperatorProgram<Command extends { readonly type: string }> {
  readonly usage: string
  readonly args: readonly string[]
  readonly environment: Readonly<Record<string, string | undefined>>
  /** Throws UsageFault. */
  readonly read: (args: readonly string[]) => Command | { readonly type: 'help' }
  /** Resolves with the exit code. */
  readonly run: (command: Exclude<Command, { readonly type: 'help' }>, config: Config, output: Output) => Promise<number>
  /** What an error means to an operator: a StartupFault, where one can tell. */
  readonly asFault: (error: unknown) => unknown
}

/** To its exit code. Never rejects. */
export async function runOperatorProgram<Command extends { readonly type: string }>({ usage, args, environment, read, run, asFault }: OperatorProgram<Command>): Promise<void> {
  const output: Output = { print: (text) => void process.stdout.write(text), complain: (text) => void process.stderr.write(text) }
  try {
    const command = read(args)
    if (command.type === 'help') return output.print(usage)
    // This process has no name among the others, and needs none.
    const config = readConfig({ CHATTERBOT_NODE_ID: 'operator', ...environment })
    process.exitCode = await run(command as Exclude<Command, { readonly type: 'help' }>, config, output)
  } catch (error) {
    if (!(error instanceof UsageFault)) return reportAndExit(asFault(error))
    output.complain(`${error.message}\n\n${usage}`)
    process.exitCode = exitCodes.usage
  }
}
