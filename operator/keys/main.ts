/** The operator's command for API keys, as a program. */
import { ChatError } from '../../protocol/errors.ts'
import type { Config } from '../../platform/config/config.ts'
import { StartupFault } from '../../platform/lifecycle/startup-fault.ts'
import { createLogger } from '../../platform/logging/logger.ts'
import { runOperatorProgram, type Output } from '../command-line.ts'
import { readKeysCommand, usage, type KeysCommand } from './command-line.ts'
import { runKeys } from './keys-command.ts'
import { openCredentials } from './open-credentials.ts'

await runOperatorProgram({ usage, args: process.argv.slice(2), environment: process.env, read: readKeysCommand, run, asFault })

async function run(command: Exclude<KeysCommand, { type: 'help' }>, config: Config, output: Output): Promise<number> {
  const { credentials, close } = await openCredentials(config, createLogger({ level: 'error', name: 'operator', fd: 2 }))
  try {
    return await runKeys(command, { credentials, now: Date.now, ...output })
  } finally {
    await close()
  }
}

function asFault(error: unknown): unknown {
  return error instanceof ChatError ? new StartupFault('The database cannot be reached.', 'See that it runs, and that DATABASE_URL is right.', { cause: error }) : error
}
