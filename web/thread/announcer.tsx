import { useEffect, useRef, useState } from 'react'
import { useSession } from '../session/session-context.ts'
import { useObservable } from '../session/use-observable.ts'
import { isUnfinished, type ShownMessage } from '../session/views.ts'

const longestSpoken = 500

/** Tells screen readers of the newest reply when it begins and when it has ended, and never token by token. */
export function Announcer() {
  const session = useSession()
  const { messages, visit } = useObservable(session.thread)
  const [said, setSaid] = useState('')
  const last = messages.at(-1)
  const wasUnderWay = useRef<string>(undefined)

  const key = last?.role === 'assistant' ? `${visit} ${last.key}` : undefined
  const phase = last?.role === 'assistant' ? phaseOf(last) : undefined
  const newest = useRef(last)
  newest.current = last
  useEffect(() => {
    if (phase === 'under way') {
      wasUnderWay.current = key
      setSaid('ChatterBot is replying')
    } else if (phase === 'ended' && wasUnderWay.current === key && newest.current !== undefined) {
      wasUnderWay.current = undefined
      setSaid(spoken(newest.current))
    }
  }, [key, phase])

  return (
    <div className="visually-hidden" role="status" aria-live="polite">
      {said}
    </div>
  )
}

function phaseOf({ state }: ShownMessage): 'under way' | 'ended' {
  return isUnfinished(state) || state.kind === 'sending' ? 'under way' : 'ended'
}

function spoken({ state, text }: ShownMessage): string {
  if (state.kind === 'failed') return `The reply failed: ${state.error.message}`
  const short = text.length > longestSpoken ? `${text.slice(0, longestSpoken)}…` : text
  return `ChatterBot replied: ${short}`
}
