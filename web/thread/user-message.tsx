import { ActionBarPrimitive, MessagePrimitive } from '@assistant-ui/react'
import { CopyButton } from '../markdown/copy-button.tsx'
import { AlertIcon, ClockIcon, EditIcon } from '../page/icons.tsx'
import { useObservable } from '../session/use-observable.ts'
import { useSession } from '../session/session-context.ts'
import type { ShownMessage } from '../session/views.ts'
import { BranchPicker } from './branch-picker.tsx'
import { andFocus } from './focus-composer.ts'
import { HeldNotice } from './held-notice.tsx'
import { useShownMessage } from './use-shown-message.ts'

export function UserMessage() {
  const message = useShownMessage()
  if (message === undefined) return null
  return (
    <MessagePrimitive.Root className="message user" role="article" aria-label="You said">
      <div className="bubble" dir="auto">
        {message.text}
      </div>
      <Delivery message={message} />
      {message.id === null ? null : (
        <ActionBarPrimitive.Root className="action-bar">
          <CopyButton text={message.text} label="Copy message" />
          <ActionBarPrimitive.Edit className="quiet-button" aria-label="Edit message" title="Edit message">
            <EditIcon />
          </ActionBarPrimitive.Edit>
          <BranchPicker branches={message.branches} of="message" />
        </ActionBarPrimitive.Root>
      )}
    </MessagePrimitive.Root>
  )
}

/** What has become of a message that the server has not accepted yet. */
function Delivery({ message }: { readonly message: ShownMessage }) {
  const session = useSession()
  const connection = useObservable(session.connection)
  if (message.state.kind === 'sending' && connection.kind !== 'open') {
    return (
      <p className="note">
        <ClockIcon /> Sent as soon as there is a connection
      </p>
    )
  }
  if (message.state.kind === 'sending' && message.state.held !== null) return <HeldNotice {...message.state.held} />
  if (message.state.kind !== 'unsent') return null
  return (
    <div className="note failure" role="alert">
      <AlertIcon />
      <span>{message.state.error.message}</span>
      <button type="button" className="text-button" onClick={andFocus(() => session.retry(message.key))}>
        Send again
      </button>
      <button type="button" className="text-button" onClick={andFocus(() => session.discard(message.key))}>
        Discard
      </button>
    </div>
  )
}
