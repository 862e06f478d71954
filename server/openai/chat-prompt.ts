/** From the messages of a request to a conversation's beginning and the message to answer. Pure. */
import type { ChatCompletionMessage, Tool } from '../../protocol/openai/chat-completion-request.ts'
import { importFault, type ImportedMessage } from '../../protocol/imported-history.ts'
import { ChatError, type ErrorCode } from '../../protocol/errors.ts'
import { RequestFault } from '../../protocol/rest/decode.ts'
import { checkText } from '../../protocol/text.ts'
import { callText, resultText, toolsText } from './hermes.ts'

export interface ChatPrompt {
  /** Null: leading system messages, if any, are in the history. */
  readonly system: string | null
  readonly history: readonly ImportedMessage[]
  /** All that was said since the last reply. */
  readonly question: string
}

interface ReadMessage extends ImportedMessage {
  readonly index: number
  readonly isResult: boolean
}

/** Throws RequestFault. */
export function readMessages(messages: readonly ChatCompletionMessage[], tools: readonly Tool[]): ChatPrompt {
  const read = messages.map(readMessage)
  const asked = read.findLastIndex(({ role }) => role === 'assistant') + 1
  const question = read.slice(asked).filter(({ role }) => role === 'user')
  const last = question.at(-1)
  if (last === undefined) throw fault('invalid_field', '/messages', 'The last message must be of role user or tool, but for system messages.')
  const text = joined(question)
  refuse(checkText(text), `/messages/${last.index}/content`)

  const before = [...read.slice(0, asked), ...read.slice(asked).filter(({ role }) => role === 'system')]
  const leading = tools.length === 0 ? 0 : before.findIndex(({ role }) => role !== 'system')
  const system = tools.length === 0 ? null : [...before.slice(0, leading < 0 ? before.length : leading).map(({ content }) => content), toolsText(tools)].join('\n\n')
  if (system !== null) refuse(checkText(system), '/tools')
  const history = before.slice(leading < 0 ? before.length : leading)
  const found = importFault(history)
  if (found !== null) refuse(found.code, `/messages/${history[found.index]?.index ?? 0}/content`)
  return { system, history: history.map(({ role, content }) => ({ role, content })), question: text }
}

/** Results of tools stand together, as templates have them; what people said is told apart. */
function joined(messages: readonly ReadMessage[]): string {
  return messages.map(({ content, isResult }, at) => (at === 0 ? '' : isResult && messages[at - 1]?.isResult === true ? '\n' : '\n\n') + content).join('')
}

function readMessage(message: ChatCompletionMessage, index: number): ReadMessage {
  const at = `/messages/${index}`
  const { role, tool_calls } = message
  if (role !== 'assistant' && (tool_calls ?? []).length > 0) throw fault('invalid_field', `${at}/tool_calls`, 'Only a message of role assistant calls tools.')
  const text = contentOf(message, at)
  switch (role) {
    case 'system':
    case 'developer':
      return { role: 'system', content: text, index, isResult: false }
    case 'user':
      return { role, content: text, index, isResult: false }
    case 'tool':
      return { role: 'user', content: resultText(text), index, isResult: true }
    case 'assistant': {
      const calls = (tool_calls ?? []).map((call, each) => {
        const written = callText(call)
        if (written === null) throw fault('invalid_field', `${at}/tool_calls/${each}/function/arguments`, 'The arguments of a call are the JSON of an object.')
        return written
      })
      return { role, content: [...(text === '' ? [] : [text]), ...calls].join('\n'), index, isResult: false }
    }
  }
}

function contentOf({ content }: ChatCompletionMessage, at: string): string {
  if (content === undefined || content === null) return ''
  if (typeof content === 'string') return content
  return content
    .map(({ type, text }, part) => {
      if (type !== 'text') throw fault('invalid_field', `${at}/content/${part}/type`, 'Only parts of type text are supported.')
      if (text === undefined) throw fault('invalid_field', `${at}/content/${part}/text`, 'A part of type text has a text.')
      return text
    })
    .join('')
}

function refuse(code: ErrorCode | null, pointer: string): void {
  if (code !== null) throw fault(code, pointer, new ChatError(code).message)
}

function fault(code: ErrorCode, pointer: string, message: string): RequestFault {
  return new RequestFault(code, message, { in: 'body', pointer, detail: message })
}
