import { useAuiState, useThreadViewport } from '@assistant-ui/react'
import { useEffect, useLayoutEffect, useRef } from 'react'
import { useSession } from '../session/session-context.ts'
import { usePart } from '../session/use-observable.ts'
import type { ThreadView } from '../session/views.ts'

const nearPx = 600

/** Fetches the page before as its place comes near, and keeps what is being read where it is. */
export function OlderMessages() {
  const session = useSession()
  const olderMessages = usePart(session.thread, olderOf)
  // As the surface has it, which shows a change a little later than the session tells of it.
  const firstKey = useAuiState(({ thread }) => thread.messages[0]?.id)
  const viewport = useThreadViewport(({ element }) => element.viewport)
  const top = useRef<{ readonly element: HTMLElement; readonly offset: number }>(undefined)

  useEffect(() => {
    if (viewport === null || olderMessages !== 'more') return
    let last = viewport.scrollTop
    // Only for somebody who scrolls up: a conversation begins at its top, before it is scrolled to its end.
    const look = () => {
      if (viewport.scrollTop < last && viewport.scrollTop < nearPx) session.loadOlder()
      last = viewport.scrollTop
    }
    viewport.addEventListener('scroll', look, { passive: true })
    return () => viewport.removeEventListener('scroll', look)
  }, [olderMessages, viewport, session])

  useLayoutEffect(() => {
    if (viewport === null) return
    // What was the first message stands lower now by what came in above it.
    const before = top.current
    if (before?.element.isConnected === true) viewport.scrollTop += before.element.offsetTop - before.offset
    const element = viewport.querySelector<HTMLElement>('[data-message-id]')
    top.current = element === null ? undefined : { element, offset: element.offsetTop }
  }, [viewport, firstKey, olderMessages])

  if (olderMessages === 'none') return null
  return (
    <div className="older">
      <button type="button" className="button" disabled={olderMessages === 'loading'} onClick={() => session.loadOlder()}>
        {olderMessages === 'loading' ? 'Loading earlier messages…' : 'Load earlier messages'}
      </button>
    </div>
  )
}

const olderOf = ({ olderMessages }: ThreadView) => olderMessages
