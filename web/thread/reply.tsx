import { ActionBarPrimitive, MessagePrimitive } from '@assistant-ui/react'
import { CopyButton } from '../markdown/copy-button.tsx'
import { Markdown } from '../markdown/markdown.tsx'
import { AlertIcon, ClockIcon, RegenerateIcon } from '../page/icons.tsx'
import { useSession } from '../session/session-context.ts'
import { isUnfinished, type ShownMessage } from '../session/views.ts'
import { BranchPicker } from './branch-picker.tsx'
import { andFocus } from './focus-composer.ts'
import { HeldNotice } from './held-notice.tsx'
import { QueueNotice } from './queue-notice.tsx'
import { Thinking } from './thinking.tsx'
import { useShownMessage } from './use-shown-message.ts'

export function Reply() {
  const message = useShownMessage()
  if (message === undefined) return null
  const { state, text, branches } = message
  const unfinished = isUnfinished(state) || state.kind === 'sending'
  const growing = state.kind === 'running' || state.kind === 'resuming'
  return (
    <MessagePrimitive.Root className="message reply" role="article" aria-label="ChatterBot replied" aria-busy={unfinished}>
      {text === '' ? null : (
        <div dir="auto">
          <Markdown text={text} growing={growing} />
        </div>
      )}
      {text === '' && unfinished ? <Pending message={message} /> : null}
      {state.kind === 'resuming' && text !== '' ? <p className="note">Picking up where it left off…</p> : null}
      <Ending message={message} />
      {unfinished || message.id === null ? null : (
        <ActionBarPrimitive.Root className="action-bar">
          {text === '' ? null : <CopyButton text={text} label="Copy reply" />}
          <RegenerateButton message={message} />
          <BranchPicker branches={branches} of="reply" />
          {message.model === null ? null : <span className="model-name">{message.model}</span>}
        </ActionBarPrimitive.Root>
      )}
    </MessagePrimitive.Root>
  )
}

function RegenerateButton({ message }: { readonly message: ShownMessage }) {
  const session = useSession()
  return (
    <button type="button" className="quiet-button" aria-label="Regenerate reply" title="Regenerate reply" onClick={andFocus(() => session.regenerate(message.key))}>
      <RegenerateIcon />
    </button>
  )
}

function Pending({ message }: { readonly message: ShownMessage }) {
  const session = useSession()
  const { state, key } = message
  if (state.kind === 'waiting') {
    return (
      <p className="note">
        <ClockIcon />
        <span>Answered after the reply before it</span>
        <button type="button" className="text-button" onClick={andFocus(() => session.stop(key))}>
          Cancel
        </button>
      </p>
    )
  }
  if (state.kind === 'queued') return <QueueNotice position={state.position} etaMs={state.etaMs} />
  if (state.kind === 'sending' && state.held !== null) return <HeldNotice {...state.held} />
  return <Thinking label={state.kind === 'resuming' ? 'Picking up where it left off' : 'Thinking'} />
}

/** How a reply ended, where it did not simply come to its end. */
function Ending({ message }: { readonly message: ShownMessage }) {
  const session = useSession()
  const { state, key } = message
  if (state.kind === 'failed' || state.kind === 'unsent') {
    return (
      <div className="note failure" role="alert">
        <AlertIcon />
        <span>{state.error.message}</span>
        <button type="button" className="text-button" onClick={andFocus(() => (state.kind === 'failed' ? session.regenerate(key) : session.retry(key)))}>
          Try again
        </button>
        {state.kind === 'unsent' ? (
          <button type="button" className="text-button" onClick={andFocus(() => session.discard(key))}>
            Discard
          </button>
        ) : null}
      </div>
    )
  }
  if (state.kind !== 'done' || state.reason === 'stop') return null
  const said = { stopped: 'Stopped', length: 'Ended at the length limit', filtered: 'Ended by the content filter' }[state.reason]
  return <p className="note">{said}</p>
}
