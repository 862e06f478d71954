import { useEffect, useId, useRef, useState, type MouseEvent, type SyntheticEvent } from 'react'
import { useSession } from '../session/session-context.ts'
import type { ConversationEntry } from '../session/views.ts'
import { focusComposer } from '../thread/focus-composer.ts'

/** As the server counts them. */
const titleLength = 200

/** What can be done with a conversation of the list: another title, and its end, which is asked for twice. */
export function ConversationOptions({ conversation: { id, title }, onClose }: { readonly conversation: ConversationEntry; readonly onClose: () => void }) {
  const session = useSession()
  const dialog = useRef<HTMLDialogElement>(null)
  const heading = useId()
  const field = useId()
  const [name, setName] = useState(title ?? '')
  const [isLeaving, setIsLeaving] = useState(false)
  const [isBusy, setIsBusy] = useState(false)
  const [fault, setFault] = useState<string | null>(null)
  useEffect(() => {
    if (dialog.current?.open === false) dialog.current.showModal()
  }, [])

  const carryOut = (work: Promise<void>, done?: () => void) => {
    setIsBusy(true)
    setFault(null)
    work.then(
      () => {
        dialog.current?.close()
        done?.()
      },
      (error: Error) => {
        setIsBusy(false)
        setFault(error.message)
      },
    )
  }
  const rename = (event: SyntheticEvent) => {
    event.preventDefault()
    carryOut(session.rename(id, name.trim()))
  }

  return (
    <dialog ref={dialog} className="options" aria-labelledby={heading} onClose={onClose} onClick={closeFromBackdrop}>
      {isLeaving ? (
        <div className="options-body">
          <h2 id={heading}>Delete this conversation?</h2>
          <p>“{title ?? 'Untitled'}” and all that was said in it will be gone for good.</p>
          <Fault text={fault} />
          <div className="options-actions">
            <button ref={focusOnSight} type="button" className="button" onClick={() => setIsLeaving(false)}>
              Keep it
            </button>
            {/* What opened the dialog goes with the conversation. */}
            <button type="button" className="button danger" disabled={isBusy} onClick={() => carryOut(session.delete(id), focusComposer)}>
              Delete
            </button>
          </div>
        </div>
      ) : (
        <form className="options-body" onSubmit={rename}>
          <h2 id={heading}>Conversation</h2>
          <label htmlFor={field}>Title</label>
          <input id={field} ref={focusOnSight} type="text" maxLength={titleLength} autoComplete="off" dir="auto" value={name} onChange={(event) => setName(event.target.value)} />
          <Fault text={fault} />
          <div className="options-actions">
            <button type="button" className="button danger first" onClick={() => setIsLeaving(true)}>
              Delete…
            </button>
            <button type="button" className="button" onClick={() => dialog.current?.close()}>
              Cancel
            </button>
            <button type="submit" className="button primary" disabled={isBusy || name.trim() === ''}>
              Save
            </button>
          </div>
        </form>
      )}
    </dialog>
  )
}

function Fault({ text }: { readonly text: string | null }) {
  return text === null ? null : (
    <p className="fault" role="alert">
      {text}
    </p>
  )
}

/** What the focus was on before has just gone. */
function focusOnSight(element: HTMLElement | null): void {
  element?.focus()
}

function closeFromBackdrop(event: MouseEvent<HTMLDialogElement>): void {
  if (event.target === event.currentTarget) event.currentTarget.close()
}
