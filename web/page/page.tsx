import { useEffect, useRef, useState, type MouseEvent } from 'react'
import type { ChatSession } from '../session/chat-session.ts'
import type { KeptKey } from '../session/kept-key.ts'
import { SessionContext } from '../session/session-context.ts'
import { usePart } from '../session/use-observable.ts'
import type { ConnectionView, ThreadView } from '../session/views.ts'
import { focusComposer } from '../thread/focus-composer.ts'
import { ThreadRuntime } from '../thread/runtime.tsx'
import { Thread } from '../thread/thread.tsx'
import { MenuIcon, NewChatIcon } from './icons.tsx'
import type { ReadinessWatch } from './readiness.ts'
import { SignIn } from './sign-in.tsx'
import { Sidebar } from './sidebar.tsx'
import { StatusBanner } from './status-banner.tsx'
import type { ThemeChoice } from './theme.ts'

interface PageProps {
  readonly session: ChatSession
  readonly themes: ThemeChoice
  readonly keptKey: KeptKey
  readonly readiness: ReadinessWatch
}

export function Page({ session, themes, keptKey, readiness }: PageProps) {
  const drawer = useRef<HTMLDialogElement>(null)
  const [asDrawer, setAsDrawer] = useState(false)
  const title = usePart(session.thread, titleOf)
  const visit = usePart(session.thread, visitOf)
  const isRefused = usePart(session.connection, isRefusedOf)
  useEffect(() => {
    document.title = title === null ? 'ChatterBot' : `${title} · ChatterBot`
  }, [title])
  useEffect(() => drawer.current?.close(), [visit])
  useEffect(() => {
    const narrow = window.matchMedia('(max-width: 800px)')
    const follow = () => setAsDrawer(narrow.matches)
    follow()
    narrow.addEventListener('change', follow)
    return () => narrow.removeEventListener('change', follow)
  }, [])

  return (
    <SessionContext.Provider value={session}>
      <a className="skip-link" href="#conversation" onClick={skip}>
        Skip to the conversation
      </a>
      <div className="layout">
        {asDrawer ? (
          <dialog ref={drawer} className="drawer" aria-label="Conversations" onClick={closeFromBackdrop}>
            <Sidebar themes={themes} keptKey={keptKey} onClose={() => drawer.current?.close()} />
          </dialog>
        ) : (
          <Sidebar themes={themes} keptKey={keptKey} />
        )}
        <main id="conversation">
          <header className="top-bar">
            {asDrawer ? (
              <button type="button" className="quiet-button" aria-label="Open the list of conversations" aria-haspopup="dialog" onClick={() => drawer.current?.showModal()}>
                <MenuIcon />
              </button>
            ) : null}
            <h1>{title ?? 'New chat'}</h1>
            {asDrawer ? (
              <button type="button" className="quiet-button" aria-label="New chat" onClick={() => session.visit(null)}>
                <NewChatIcon />
              </button>
            ) : null}
          </header>
          {isRefused ? (
            <SignIn keptKey={keptKey} />
          ) : (
            <>
              <StatusBanner readiness={readiness} />
              <ThreadRuntime key={visit} session={session}>
                <Thread />
              </ThreadRuntime>
            </>
          )}
        </main>
      </div>
    </SessionContext.Provider>
  )
}

const titleOf = ({ title }: ThreadView) => title
/** The server asks for credentials, or for others than it was shown. */
const isRefusedOf = (connection: ConnectionView) => connection.kind === 'closed' && connection.code === 'unauthenticated'
const visitOf = ({ visit }: ThreadView) => visit

/** The hash is the conversation's, so the link moves the focus itself. */
function skip(event: MouseEvent): void {
  event.preventDefault()
  focusComposer()
}

function closeFromBackdrop(event: MouseEvent<HTMLDialogElement>): void {
  if (event.target === event.currentTarget) event.currentTarget.close()
}
