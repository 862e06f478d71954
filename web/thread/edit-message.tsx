import { ComposerPrimitive, MessagePrimitive, useAuiState } from '@assistant-ui/react'
import { useEffect, useRef } from 'react'
import { focusComposer } from './focus-composer.ts'
import { LengthCounter, fitsInMessage } from './length-counter.tsx'

/** A message of the user being said anew; saving it begins another version beside it. */
export function EditMessage() {
  const text = useAuiState(({ composer }) => composer.text)
  const fits = fitsInMessage(text)
  const form = useRef<HTMLFormElement>(null)
  useEffect(() => {
    form.current?.scrollIntoView({ block: 'nearest' })
    // Sent or given up.
    return focusComposer
  }, [])
  return (
    <MessagePrimitive.Root className="message user editing" role="article" aria-label="Editing your message">
      <ComposerPrimitive.Root ref={form} className="edit-form" onSubmit={(event) => !fits && event.preventDefault()}>
        <ComposerPrimitive.Input className="edit-input" aria-label="Edit message" autoFocus submitMode="enter" maxRows={16} dir="auto" />
        <div className="edit-actions">
          <LengthCounter text={text} />
          <ComposerPrimitive.Cancel className="button">Cancel</ComposerPrimitive.Cancel>
          <ComposerPrimitive.Send className="button primary" disabled={!fits}>
            Send
          </ComposerPrimitive.Send>
        </div>
      </ComposerPrimitive.Root>
    </MessagePrimitive.Root>
  )
}
