/** The operator's command for API keys, as a program. */
import { ChatError } from '../../protocol/errors.ts'
import { readConfig } from '../../platform/config/config.ts'
import { reportAndExit } from '../../platform/lifecycle/report-fault.ts'
import { exitCodes, StartupFault } from '../../platform/lifecycle/startup-fault.ts'
import { createLogger } from '../../platform/logging/logger.ts'
import { UsageFault } from '../command-line.ts'
import { readKeysCommand, usage } from './command-line.ts'
import { runKeys } from './keys-command.ts'
import { openCredentials } from './open-credentials.ts'

const print = (text: string): void => void process.stdout.write(text)
const complain = (text: string): void => void process.stderr.write(text)

try {
  process.exitCode = await run(process.argv.slice(2))
} catch (error) {
  if (error instanceof UsageFault) {
    complain(`${error.message}\n\n${usage}`)
    process.exitCode = exitCodes.usage
  } else reportAndExit(error instanceof ChatError ? new StartupFault('The database cannot be reached.', 'See that it runs, and that DATABASE_URL is right.', { cause: error }) : error)
}

async function run(args: readonly string[]): Promise<number> {
  const command = readKeysCommand(args)
  if (command.type === 'help') {
    print(usage)
    return 0
  }
  // This process has no name among the others, and needs none.
  const config = readConfig({ CHATTERBOT_NODE_ID: 'operator', ...process.env })
  const { credentials, close } = await openCredentials(config, createLogger({ level: 'error', name: 'operator', fd: 2 }))
  try {
    return await runKeys(command, { credentials, now: Date.now, print, complain })
  } finally {
    await close()
  }
}
