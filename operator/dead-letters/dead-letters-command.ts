/** The operator's command for dead letters. It needs nothing but the bus: an edge carries a retry out. */
import { decodeRetryReply, encodeBus } from '../../protocol/bus/codec.ts'
import type { RetryReply } from '../../protocol/bus/retry.ts'
import { busVersion, retrySubject } from '../../protocol/bus/subjects.ts'
import type { Channel } from '../../platform/bus/channel.ts'
import type { DeadLetters, StoredDeadLetter } from '../../platform/bus/dead-letters.ts'
import type { Command } from './command-line.ts'
import { letterFields, letterLines, lettersTable } from './letters-as-text.ts'

const answerWithinMs = 10_000

export interface DeadLettersCommandOptions {
  readonly deadLetters: DeadLetters
  readonly channel: Pick<Channel, 'request'>
  readonly now: () => number
  /** Standard output, and standard error. */
  readonly print: (text: string) => void
  readonly complain: (text: string) => void
}

/** Resolves with the exit code. Rejects with BusError where the bus does not serve, with BusMessageError where an edge is of another version. */
export async function runDeadLetters(command: Exclude<Command, { type: 'help' }>, options: DeadLettersCommandOptions): Promise<number> {
  if (command.type === 'list') return list(command, options)
  const { deadLetters, print, complain, now } = options
  const letter = await deadLetters.get(command.turnId)
  if (letter === null) {
    complain(`Turn ${command.turnId} has no dead letter: it was not given up, or its letter was discarded or is too old.\n`)
    return 1
  }
  switch (command.type) {
    case 'show':
      print(command.json ? line(letterFields(letter)) : letterLines(letter, now()))
      return 0
    case 'discard':
      await deadLetters.discard(letter.turnId)
      print(command.json ? line({ discarded: letter.turnId }) : `Discarded the dead letter of turn ${letter.turnId}.\n`)
      return 0
    case 'retry':
      return retry(letter, command.json, options)
  }
}

async function list(command: Extract<Command, { type: 'list' }>, { deadLetters, print, now }: DeadLettersCommandOptions): Promise<number> {
  const { letters, hasMore } = await deadLetters.list(command)
  if (command.json) {
    for (const letter of letters) print(line(letterFields(letter)))
    return 0
  }
  if (letters.length === 0) print(command.after === 0 ? 'There are no dead letters.\n' : `There are no dead letters after position ${command.after}.\n`)
  else print(lettersTable(letters, now()))
  if (hasMore) print(`There are more: list --after ${letters.at(-1)?.position}\n`)
  return 0
}

async function retry(letter: StoredDeadLetter, json: boolean, { channel, deadLetters, print, complain }: DeadLettersCommandOptions): Promise<number> {
  const { turnId, conversationId } = letter
  const request = encodeBus({ v: busVersion, turn_id: turnId, conversation_id: conversationId })
  const reply: RetryReply = decodeRetryReply(await channel.request(retrySubject, request, { timeoutMs: answerWithinMs }))
  if (reply.type === 'refused') {
    complain(`Turn ${turnId} was not retried, and its dead letter is kept: ${reply.message} (${reply.code})\n`)
    return 1
  }
  // Only now: should this command end before, the next retry is told of the same turn.
  await deadLetters.discard(turnId)
  print(json ? line({ retried: turnId, turn_id: reply.turn_id, duplicate: reply.duplicate }) : `Turn ${turnId} is retried as turn ${reply.turn_id}${reply.duplicate ? ', which it was before' : ''}; its dead letter is discarded.\n`)
  return 0
}

function line(fields: object): string {
  return `${JSON.stringify(fields)}\n`
}
