import { useEffect, useState, type ReactNode } from 'react'
import { useSession } from '../session/session-context.ts'
import { useObservable } from '../session/use-observable.ts'
import { AlertIcon, ClockIcon } from './icons.tsx'
import type { ReadinessWatch } from './readiness.ts'

/** A reconnection that takes no longer is nobody's business. */
const patienceMs = 800

/** What stands between the user and a reply: no connection, a model that is being loaded, a busy server. */
export function StatusBanner({ readiness }: { readonly readiness: ReadinessWatch }) {
  const session = useSession()
  const connection = useObservable(session.connection)
  const ready = useObservable(readiness.readiness)
  const load = useObservable(session.load)
  const notice = useObservable(session.notice)
  const disconnected = useLasting(connection.kind === 'reconnecting' || connection.kind === 'connecting', patienceMs)

  useEffect(() => {
    if (connection.kind === 'open') readiness.recheck()
  }, [connection.kind, readiness])

  const banner = (): ReactNode => {
    if (connection.kind === 'closed') {
      return (
        <p className="banner failure">
          <AlertIcon />
          <span>{connection.reason}</span>
          <button type="button" className="text-button" onClick={() => window.location.reload()}>
            Connect again
          </button>
        </p>
      )
    }
    if (disconnected) return <Working>{connection.kind === 'connecting' ? 'Connecting…' : 'Reconnecting… Nothing is lost.'}</Working>
    if (notice !== null) {
      return (
        <p className="banner failure">
          <AlertIcon />
          <span>{notice}</span>
        </p>
      )
    }
    if (ready.kind === 'preparing') return <Working>{ready.reasons.map(asSentence).join(' ') || 'The model is being loaded.'} What you send now is answered as soon as it is ready.</Working>
    if (load !== 'overloaded') return null
    return (
      <p className="banner">
        <ClockIcon />
        <span>Many people are here at the moment: replies take longer than usual, and appear once they are complete.</span>
      </p>
    )
  }
  return (
    <div className="banner-place" role="status" aria-live="polite">
      {banner()}
    </div>
  )
}

function asSentence(reason: string): string {
  return `${reason.charAt(0).toUpperCase()}${reason.slice(1)}${/[.!…]$/.test(reason) ? '' : '.'}`
}

function Working({ children }: { readonly children: ReactNode }) {
  return (
    <p className="banner">
      <span className="spinner small" />
      <span>{children}</span>
    </p>
  )
}

/** True once `state` has been true for so long; false at once. */
function useLasting(state: boolean, ms: number): boolean {
  const [lasting, setLasting] = useState(false)
  useEffect(() => {
    if (!state) return
    const timer = setTimeout(() => setLasting(true), ms)
    return () => {
      clearTimeout(timer)
      setLasting(false)
    }
  }, [state, ms])
  return state && lasting
}
