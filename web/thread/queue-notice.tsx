import { ClockIcon } from '../page/icons.tsx'
import { spokenDuration } from './spoken-duration.ts'
import { Thinking } from './thinking.tsx'

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
