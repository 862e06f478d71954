import { hash } from 'node:crypto'
import type { TurnRetry } from '../../protocol/bus/forwarding.ts'
import type { CommandOf } from '../../protocol/websocket/messages.ts'

type Repeatable = CommandOf<'message.send'> | CommandOf<'message.edit'> | CommandOf<'turn.regenerate'> | TurnRetry

/** SHA-256 of what a command means: its fields but for `ref`, in a fixed order. A repeated client_message_id must bring the same. */
export function commandHash(command: Repeatable): Uint8Array {
  return hash('sha256', JSON.stringify(meaning(command)), 'buffer')
}

function meaning(command: Repeatable): unknown[] {
  switch (command.type) {
    case 'message.send': {
      const { params } = command
      const { presence_penalty, frequency_penalty, raw } = params ?? {}
      // Younger than the rest: a command without them means what it did before they were there.
      const younger = [presence_penalty, frequency_penalty, raw].some((each) => each !== undefined) ? [presence_penalty ?? null, frequency_penalty ?? null, raw ?? null] : []
      return [
        command.type,
        command.text,
        command.parent_id === undefined ? 'newest' : command.parent_id,
        command.model ?? null,
        [params?.temperature ?? null, params?.top_p ?? null, params?.max_tokens ?? null, params?.seed ?? null, params?.stop ?? null, ...younger],
      ]
    }
    case 'message.edit':
      return [command.type, command.message_id, command.text]
    case 'turn.regenerate':
    case 'turn.retry':
      return [command.type, command.message_id]
  }
}
