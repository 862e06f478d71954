import { ComposerPrimitive, useAui, useAuiState, useThreadViewportStore } from '@assistant-ui/react'
import { useEffect, type FormEvent } from 'react'
import { SendIcon, StopIcon } from '../page/icons.tsx'
import { useSession } from '../session/session-context.ts'
import { usePart } from '../session/use-observable.ts'
import type { ThreadView } from '../session/views.ts'
import { focusComposer } from './focus-composer.ts'
import { fitsInMessage, LengthCounter } from './length-counter.tsx'

export function Composer() {
  const session = useSession()
  const text = useAuiState(({ composer }) => composer.text)
  const running = useAuiState(({ thread }) => thread.isRunning)
  const missing = usePart(session.thread, isMissing)
  const fits = fitsInMessage(text)
  const viewport = useThreadViewportStore()
  useDraft()
  useEffect(focusComposer, [])

  const submit = (event: FormEvent) => {
    if (!fits) event.preventDefault()
    // Whoever says something wants to see it, and the reply.
    else viewport.getState().scrollToBottom({ behavior: 'instant' })
  }
  return (
    <ComposerPrimitive.Root className="composer" onSubmit={submit}>
      <ComposerPrimitive.Input
        className="composer-input"
        aria-label="Message"
        placeholder="Message ChatterBot"
        maxRows={10}
        dir="auto"
        enterKeyHint="send"
        disabled={missing}
        unstable_focusOnRunStart={false}
        unstable_focusOnScrollToBottom={false}
      />
      <div className="composer-actions">
        <LengthCounter text={text} />
        {running ? (
          <ComposerPrimitive.Cancel className="round-button stop" aria-label="Stop" title="Stop (Escape)">
            <StopIcon />
          </ComposerPrimitive.Cancel>
        ) : null}
        {running && text.trim() === '' ? null : (
          <ComposerPrimitive.Send className="round-button send" aria-label="Send" title="Send (Enter)" disabled={!fits}>
            <SendIcon />
          </ComposerPrimitive.Send>
        )}
      </div>
    </ComposerPrimitive.Root>
  )
}

const isMissing = ({ status }: ThreadView) => status === 'missing'

/** Each conversation keeps what was begun in it, while the page is there. */
function useDraft(): void {
  const aui = useAui()
  const session = useSession()
  useEffect(() => {
    const { composer } = aui
    return session.attachDraft({ read: () => composer.getState().text, write: (text) => composer.setText(text) })
  }, [aui, session])
}
