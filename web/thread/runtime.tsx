import { AssistantRuntimeProvider, useExternalStoreRuntime, type AppendMessage, type ExternalStoreAdapter, type ThreadMessageLike } from '@assistant-ui/react'
import { useMemo, type ReactNode } from 'react'
import type { ChatSession } from '../session/chat-session.ts'
import { useObservable } from '../session/use-observable.ts'
import { isUnfinished, type ShownMessage } from '../session/views.ts'

/**
 * Gives the surface the path that is shown, as a list without branches: the tree is ours, and the branch pickers ask
 * the session. The queue is the server's, so that a message that is said while a reply runs is sent like any other.
 */
export function ThreadRuntime({ session, children }: { readonly session: ChatSession; readonly children: ReactNode }) {
  const { messages } = useObservable(session.thread)
  const handlers = useMemo(() => handlersOf(session), [session])
  const isRunning = messages.some(({ state }) => isUnfinished(state))
  const runtime = useExternalStoreRuntime<ShownMessage>({ ...handlers, messages, isRunning })
  return <AssistantRuntimeProvider runtime={runtime}>{children}</AssistantRuntimeProvider>
}

type Handlers = Pick<ExternalStoreAdapter<ShownMessage>, 'onNew' | 'onEdit' | 'onCancel' | 'queue'> & {
  readonly convertMessage: (message: ShownMessage) => ThreadMessageLike
}

function handlersOf(session: ChatSession): Handlers {
  const say = (message: AppendMessage) => session.send(textOf(message))
  return {
    convertMessage,
    onNew: async (message) => say(message),
    onEdit: async (message) => {
      if (message.sourceId !== null) session.edit(message.sourceId, textOf(message))
    },
    onCancel: async () => session.stop(),
    queue: { items: [], steerItems: [], enqueue: say, steer: say, move: () => {}, edit: () => {}, remove: () => {} }
  }
}

function textOf(message: AppendMessage): string {
  return message.content.map((part) => (part.type === 'text' ? part.text : '')).join('')
}

function convertMessage(message: ShownMessage): ThreadMessageLike {
  const { key: id, role, text, state } = message
  return {
    id,
    role,
    content: [{ type: 'text', text }],
    metadata: { custom: { shown: message } },
    ...(role === 'user' ? {} : { status: statusOf(state) })
  }
}

function statusOf(state: ShownMessage['state']): NonNullable<ThreadMessageLike['status']> {
  switch (state.kind) {
    case 'done':
      return state.reason === 'stopped' ? { type: 'incomplete', reason: 'cancelled' } : { type: 'complete', reason: 'stop' }
    case 'failed':
    case 'unsent':
      return { type: 'incomplete', reason: 'error', error: state.error.message }
    default:
      return { type: 'running' }
  }
}
