/** Streams that go on side by side, a connection each, every token verified. */
import type { Session } from '../../stream-client/session.ts'
import { talk, type Heard } from '../../stream-client/talk.ts'

/** A reply of so many tokens to each, begun within `withinMs`. Rejects where anything was lost, doubled, reordered or refused. */
export async function steadyStreams(sessions: readonly Session[], tokens: number, withinMs: number, turnsEach = 1): Promise<Heard> {
  const heard = await talk(sessions, { turnsEach, withinMs, tokens, question: `Tell me [[tokens=${tokens}]]` })
  const { failures, lost, doubled, reordered } = heard
  if (failures.length + lost + doubled + reordered > 0) throw new Error(`${lost} replies lost text, ${doubled} had it twice, ${reordered} in another order; ${failures.length} failed${failures[0] === undefined ? '' : `, one so: ${failures[0]}`}`)
  return heard
}

/** Milliseconds between two texts of a reply that so many percent of them do not exceed. */
export function gapMs({ gaps }: Heard, percent: number): number {
  return gaps.percentile(percent) / 1000
}
