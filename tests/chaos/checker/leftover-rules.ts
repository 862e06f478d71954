import type { Evidence, Finding } from './evidence.ts'

export function checkLeftovers({ leftovers }: Evidence): Finding[] {
  if (leftovers === null) return []
  const found = [
    ...Object.entries(leftovers.jobs).flatMap(([lane, jobs]) => (jobs > 0 ? [`${jobs} jobs in lane ${lane}`] : [])),
    ...(leftovers.subscriptions > 0 ? [`${leftovers.subscriptions} subscriptions on the bus`] : []),
    ...(leftovers.actors > 0 ? [`${leftovers.actors} actors`] : []),
  ]
  return found.map((what) => ({ kind: 'leak', what: `${what} were left over`, conversationId: null, turnId: null, at: null }))
}
