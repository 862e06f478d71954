import { useThreadViewport } from '@assistant-ui/react'
import { useEffect, useLayoutEffect, useRef } from 'react'
import { useSession } from '../session/session-context.ts'
import { usePart } from '../session/use-observable.ts'
import type { ThreadView } from '../session/views.ts'

/** Fetches the page before as its place comes near, and keeps what is being read where it is. */
export function OlderMessages() {
  const session = useSession()
  const olderMessages = usePart(session.thread, olderOf)
  const firstKey = usePart(session.thread, firstOf)
  const place = useRef<HTMLDivElement>(null)
  const viewport = useThreadViewport(({ element }) => element.viewport)
  const top = useRef<{ readonly element: HTMLElement; readonly offset: number }>(undefined)

  useEffect(() => {
    const element = place.current
    if (element === null || viewport === null || olderMessages !== 'more') return
    const observer = new IntersectionObserver(([entry]) => entry?.isIntersecting === true && session.loadOlder(), { root: viewport, rootMargin: '400px 0px 0px' })
    observer.observe(element)
    return () => observer.disconnect()
  }, [olderMessages, viewport, session, firstKey])

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
    <div ref={place} className="older">
      <button type="button" className="button" disabled={olderMessages === 'loading'} onClick={() => session.loadOlder()}>
        {olderMessages === 'loading' ? 'Loading earlier messages…' : 'Load earlier messages'}
      </button>
    </div>
  )
}

const olderOf = ({ olderMessages }: ThreadView) => olderMessages
const firstOf = ({ messages }: ThreadView) => messages[0]?.key
