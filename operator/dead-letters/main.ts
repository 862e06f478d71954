/** The operator's command for dead letters, as a program. */
import { BusMessageError } from '../../protocol/bus/codec.ts'
import { BusError } from '../../platform/bus/channel.ts'
import { NatsBus } from '../../platform/bus/nats/nats-bus.ts'
import type { Config } from '../../platform/config/config.ts'
import { exitCodes, StartupFault } from '../../platform/lifecycle/startup-fault.ts'
import { createLogger } from '../../platform/logging/logger.ts'
import { runOperatorProgram, type Output } from '../command-line.ts'
import { readCommand, usage, type Command } from './command-line.ts'
import { runDeadLetters } from './dead-letters-command.ts'

const connectWithinMs = 5_000

await runOperatorProgram({ usage, args: process.argv.slice(2), environment: process.env, read: readCommand, run, asFault })

async function run(command: Exclude<Command, { type: 'help' }>, config: Config, output: Output): Promise<number> {
  if (config.NATS_URL.length === 0) {
    throw new StartupFault(
      'NATS_URL is not set. A process that was started by `npm start` keeps its dead letters in its own memory, where no other can see them.',
      'Set NATS_URL to that of the cluster. Without a cluster, ask for another reply in the chat.',
      { exitCode: exitCodes.config },
    )
  }
  const logger = createLogger({ level: 'error', name: 'operator', fd: 2 })
  const bus = new NatsBus({ urls: config.NATS_URL, name: 'chatterbot operator', logger, keepsStreams: false, connectWithinMs })
  try {
    await bus.start()
    return await runDeadLetters(command, { deadLetters: bus.deadLetters, channel: bus.channel, now: Date.now, ...output })
  } finally {
    await bus.stop()
  }
}

function asFault(error: unknown): unknown {
  if (error instanceof BusMessageError) return new StartupFault('An edge answered in another version of the bus messages.', 'Use the command of the release that the edges run.', { cause: error })
  if (!(error instanceof BusError)) return error
  switch (error.code) {
    case 'no_responders':
      return new StartupFault('No edge is there to retry the turn; its dead letter is kept.', 'See that an edge runs.', { cause: error })
    case 'timeout':
      return new StartupFault(`Nobody answered in time: ${error.message}.`, 'Try again: a turn that was retried already is not retried twice.', { cause: error })
    default:
      return new StartupFault(`NATS does not serve: ${error.message}.`, 'See that it runs, and that NATS_URL is right.', { cause: error })
  }
}
