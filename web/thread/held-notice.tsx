import { useEffect, useState } from 'react'
import { ClockIcon } from '../page/icons.tsx'
import { spokenDuration } from './spoken-duration.ts'

/** Why a message that the server refused for now waits, and how long until it is sent again by itself. */
export function HeldNotice({ reason, until }: { readonly reason: string; readonly until: string }) {
  const [now, setNow] = useState(Date.now)
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 1000)
    return () => clearInterval(timer)
  }, [until])
  return (
    <p className="note">
      <ClockIcon />
      <span>
        {reason}: sent in {spokenDuration(Date.parse(until) - now)}
      </span>
    </p>
  )
}
