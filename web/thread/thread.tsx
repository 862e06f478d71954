import { ThreadPrimitive } from '@assistant-ui/react'
import { memo } from 'react'
import { DownIcon } from '../page/icons.tsx'
import { useSession } from '../session/session-context.ts'
import { usePart } from '../session/use-observable.ts'
import type { ThreadView } from '../session/views.ts'
import { Announcer } from './announcer.tsx'
import { Composer } from './composer.tsx'
import { EditMessage } from './edit-message.tsx'
import { OlderMessages } from './older-messages.tsx'
import { Reply } from './reply.tsx'
import { UserMessage } from './user-message.tsx'
import { Welcome } from './welcome.tsx'

const components = { UserMessage, UserEditComposer: EditMessage, AssistantMessage: Reply }

/** The conversation and the field below it. Messages render themselves, so that a delta renders one of them. */
export const Thread = memo(function Thread() {
  return (
    <ThreadPrimitive.Root className="thread">
      <ThreadPrimitive.Viewport className="viewport" tabIndex={-1}>
        <div className="column messages">
          <OlderMessages />
          <ThreadPlace />
          <ThreadPrimitive.Messages components={components} />
        </div>
        <ThreadPrimitive.ViewportFooter className="footer">
          <div className="column">
            <ThreadPrimitive.ScrollToBottom className="scroll-down" aria-label="Scroll to the newest message" title="Scroll to the newest message">
              <DownIcon />
            </ThreadPrimitive.ScrollToBottom>
            <Composer />
            <p className="small-print">Models make mistakes. Check what matters.</p>
          </div>
        </ThreadPrimitive.ViewportFooter>
      </ThreadPrimitive.Viewport>
      <Announcer />
    </ThreadPrimitive.Root>
  )
})

/** What stands where there are no messages. */
function ThreadPlace() {
  const session = useSession()
  const place = usePart(session.thread, placeOf)
  if (place === 'missing') {
    return (
      <div className="place">
        <h2>There is no such conversation</h2>
        <p>It may belong to somebody else, or to another server.</p>
        <button type="button" className="button primary" onClick={() => session.visit(null)}>
          Start a new chat
        </button>
      </div>
    )
  }
  if (place === 'messages') return null
  if (place === 'opening') {
    return (
      <div className="place" role="status">
        <span className="visually-hidden">Opening the conversation</span>
        <span className="spinner" />
      </div>
    )
  }
  return <Welcome isNew={place === 'new'} />
}

function placeOf({ status, messages, conversationId }: ThreadView): 'missing' | 'opening' | 'messages' | 'new' | 'empty' {
  if (status !== 'ready') return status
  if (messages.length > 0) return 'messages'
  return conversationId === null ? 'new' : 'empty'
}
