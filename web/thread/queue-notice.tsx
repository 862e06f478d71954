import { ClockIcon } from '../page/icons.tsx'
import { Thinking } from './thinking.tsx'

/** How long it takes is told in steps that people think in, so that the number does not flicker. */
function spokenDuration(ms: number): string {
  const seconds = Math.ceil(ms / 1000)
  if (seconds <= 1) return 'about a second'
  if (seconds < 10) return `about ${seconds} seconds`
  if (seconds < 55) return `about ${Math.ceil(seconds / 5) * 5} seconds`
  const minutes = Math.round(seconds / 60)
  return minutes <= 1 ? 'about a minute' : `about ${minutes} minutes`
}

/** Where a turn stands in the queue for a model. */
export function QueueNotice({ position, etaMs }: { readonly position: number | null; readonly etaMs: number | null }) {
  // A turn that begins at once is no queue to the eye.
  if ((position ?? 0) === 0 && (etaMs ?? 0) < 1500) return <Thinking label="Waiting for the model" />
  const place = position === null || position === 0 ? 'Next in line' : position === 1 ? '1 reply ahead of yours' : `${position} replies ahead of yours`
  return (
    <p className="note">
      <ClockIcon />
      <span>
        {place}
        {etaMs === null || etaMs <= 0 ? '' : `, ${spokenDuration(etaMs)}`}
      </span>
    </p>
  )
}
