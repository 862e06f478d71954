import { useMemo, useState } from 'react'
import { groupByDay } from '../session/conversation-groups.ts'
import type { KeptKey } from '../session/kept-key.ts'
import { hashOf } from '../session/route.ts'
import { useSession } from '../session/session-context.ts'
import { useObservable, usePart } from '../session/use-observable.ts'
import type { ConversationEntry, ThreadView } from '../session/views.ts'
import { ConversationOptions } from './conversation-options.tsx'
import { ChatIcon, CloseIcon, MoreIcon, NewChatIcon } from './icons.tsx'
import type { ThemeChoice } from './theme.ts'
import { ThemeSwitch } from './theme-switch.tsx'

/** The user's conversations, the most recent first. `onClose`: it is shown as a drawer. */
export function Sidebar({ themes, keptKey, onClose }: { readonly themes: ThemeChoice; readonly keptKey: KeptKey; readonly onClose?: () => void }) {
  const session = useSession()
  return (
    <nav className="sidebar" aria-label="Conversations">
      <div className="sidebar-head">
        <span className="brand">
          <ChatIcon />
          ChatterBot
        </span>
        {onClose === undefined ? null : (
          <button type="button" className="quiet-button" aria-label="Close the list" onClick={onClose}>
            <CloseIcon />
          </button>
        )}
      </div>
      <button
        type="button"
        className="new-chat"
        onClick={() => {
          session.visit(null)
          onClose?.()
        }}
      >
        <NewChatIcon />
        New chat
      </button>
      <ConversationList {...(onClose === undefined ? {} : { onPick: onClose })} />
      <ThemeSwitch themes={themes} />
      {keptKey.get() === null ? null : (
        <button
          type="button"
          className="button"
          onClick={() => {
            keptKey.forget()
            window.location.reload()
          }}
        >
          Sign out
        </button>
      )}
    </nav>
  )
}

const currentOf = ({ conversationId }: ThreadView) => conversationId

function ConversationList({ onPick }: { readonly onPick?: () => void }) {
  const session = useSession()
  const { entries, more, status } = useObservable(session.list.view)
  const current = usePart(session.thread, currentOf)
  const [chosen, setChosen] = useState<ConversationEntry | null>(null)
  const groups = useMemo(() => groupByDay(entries, new Date()), [entries])
  return (
    <div className="conversations">
      {groups.map(({ label, entries: some }) => (
        <section key={label} aria-label={label}>
          <h2>{label}</h2>
          <ul>
            {some.map((entry) => (
              <li key={entry.id}>
                <a href={hashOf(entry.id)} aria-current={entry.id === current ? 'page' : undefined} onClick={onPick} title={entry.title ?? undefined}>
                  {entry.title ?? 'Untitled'}
                </a>
                <button type="button" className="quiet-button" aria-label={`Options of ${entry.title ?? 'Untitled'}`} aria-haspopup="dialog" onClick={() => setChosen(entry)}>
                  <MoreIcon />
                </button>
              </li>
            ))}
          </ul>
        </section>
      ))}
      {chosen === null ? null : <ConversationOptions key={chosen.id} conversation={chosen} onClose={() => setChosen(null)} />}
      {entries.length === 0 && status === 'ready' ? <p className="hint">Your conversations will stand here.</p> : null}
      {status === 'failed' ? (
        <p className="hint">
          They could not be fetched.{' '}
          <button type="button" className="text-button" onClick={() => session.list.refresh()}>
            Try again
          </button>
        </p>
      ) : null}
      {more && status !== 'failed' ? (
        <button type="button" className="button more" disabled={status === 'loading'} onClick={() => session.list.more()}>
          {status === 'loading' ? 'Loading…' : 'Show more'}
        </button>
      ) : null}
    </div>
  )
}
