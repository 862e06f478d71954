import type { ConversationEntry } from './views.ts'

export interface ConversationGroup {
  readonly label: string
  readonly entries: readonly ConversationEntry[]
}

/**
 * Conversations under the headings of a calendar, in the order in which they come (most recent first). `now` and the
 * days are those of the reader's time zone. Times ahead of `now`, as a clock that is slow sees them, count as today.
 */
export function groupByDay(entries: readonly ConversationEntry[], now: Date, locale?: string): readonly ConversationGroup[] {
  const groups: { label: string; entries: ConversationEntry[] }[] = []
  for (const entry of entries) {
    const label = labelOf(new Date(entry.updatedAt), now, locale)
    const last = groups.at(-1)
    if (last?.label === label) last.entries.push(entry)
    else groups.push({ label, entries: [entry] })
  }
  return groups
}

function labelOf(time: Date, now: Date, locale: string | undefined): string {
  const days = Math.round((startOfDay(now) - startOfDay(time)) / 86_400_000)
  if (!(days > 0)) return 'Today'
  if (days === 1) return 'Yesterday'
  if (days <= 7) return 'Previous 7 days'
  if (days <= 30) return 'Previous 30 days'
  const sameYear = time.getFullYear() === now.getFullYear()
  return time.toLocaleDateString(locale, sameYear ? { month: 'long' } : { month: 'long', year: 'numeric' })
}

function startOfDay(time: Date): number {
  return new Date(time.getFullYear(), time.getMonth(), time.getDate()).getTime()
}
