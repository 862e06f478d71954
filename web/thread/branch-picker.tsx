import { NextIcon, PreviousIcon } from '../page/icons.tsx'
import { useSession } from '../session/session-context.ts'
import type { Branches } from '../session/message-tree.ts'

/** ‹ 2/3 ›: the other versions of a message, or of a reply. */
export function BranchPicker({ branches, of }: { readonly branches: Branches; readonly of: 'message' | 'reply' }) {
  const session = useSession()
  const { number, count, previousId, nextId } = branches
  if (count < 2) return null
  const step = (id: number | null, label: string, icon: React.ReactNode) => (
    <button type="button" className="quiet-button narrow" aria-label={label} title={label} aria-disabled={id === null} onClick={() => id !== null && session.choose(id)}>
      {icon}
    </button>
  )
  return (
    <div className="branch-picker" role="group" aria-label={`Version ${number} of ${count} of this ${of}`}>
      {step(previousId, 'Previous version', <PreviousIcon />)}
      <span aria-hidden="true">
        {number}/{count}
      </span>
      {step(nextId, 'Next version', <NextIcon />)}
    </div>
  )
}
