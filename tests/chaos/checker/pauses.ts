/** The longest waits that clients saw. Milliseconds. */
import type { Evidence, Transcript } from './evidence.ts'

export interface Pauses {
  /** Between two pieces of a reply that was under way, or before its end. */
  readonly reply: number
  /** From a send to its acceptance. */
  readonly acceptance: number
}

/** Of what happened from `from` until `until`. */
export function longestPauses({ transcripts, sent }: Pick<Evidence, 'transcripts' | 'sent'>, from = 0, until = Number.POSITIVE_INFINITY): Pauses {
  const within = (at: number): boolean => at >= from && at <= until
  const replies = transcripts.flatMap(pausesOf).filter(({ begin, end }) => within(begin) || within(end))
  const acceptances = sent.flatMap(({ at, accepted }) => (accepted !== null && (within(at) || within(accepted.at)) ? [accepted.at - at] : []))
  return { reply: Math.max(0, ...replies.map(({ begin, end }) => end - begin)), acceptance: Math.max(0, ...acceptances) }
}

function pausesOf({ changes, frames }: Transcript): { begin: number; end: number }[] {
  const last = new Map<string, number>()
  const pauses: { begin: number; end: number }[] = []
  const ends = frames.flatMap(({ at, message }) => (message.type === 'turn.finished' || message.type === 'turn.failed' ? [{ at, turnId: message.turn_id }] : []))
  for (const { at, turnId } of [...changes, ...ends].sort((a, b) => a.at - b.at)) {
    const begin = last.get(turnId)
    if (begin !== undefined) pauses.push({ begin, end: at })
    last.set(turnId, at)
  }
  return pauses
}
