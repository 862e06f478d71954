/** Whether what clients were shown only grew, and is what is stored. */
import { verifyTranscript } from '../../../load-tests/simulated-vllm/reply.ts'
import { excusesFor } from './allowances.ts'
import type { Evidence, FaultWindow, Finding, FindingKind, StoredConversation, Transcript } from './evidence.ts'
import { excerpt } from './stored-rules.ts'

export function checkShown({ transcripts, stored, faults }: Evidence): Finding[] {
  const byId = new Map(stored.map((conversation) => [conversation.conversationId, conversation]))
  return transcripts.flatMap((transcript) => {
    const conversation = byId.get(transcript.conversationId)
    return conversation === undefined ? [] : [...checkGrowth(transcript, conversation, faults), ...checkFinal(transcript, conversation)]
  })
}

interface Shown {
  readonly attempt: number
  readonly text: string
}

function checkGrowth({ device, conversationId, changes }: Transcript, conversation: StoredConversation, faults: readonly FaultWindow[]): Finding[] {
  const findings: Finding[] = []
  const shown = new Map<string, Shown>()
  const isRestartExcused = (turnId: string): boolean => {
    const turn = conversation.turns.find((other) => other.turnId === turnId)
    return turn !== undefined && excusesFor(faults, turn.acceptedAt, turn.endedAt ?? Number.POSITIVE_INFINITY).restart
  }
  for (const { at, turnId, attempt, from, text } of changes) {
    const find = (kind: FindingKind, what: string): void => void findings.push({ kind, what: `${device} ${what}`, conversationId, turnId, at })
    const before = shown.get(turnId) ?? { attempt, text: '' }
    const kept = attempt === before.attempt ? before.text : ''
    if (attempt < before.attempt) find('loss', `was shown attempt ${attempt} after ${before.attempt}`)
    if (attempt === before.attempt && from < before.text.length) find('loss', `was shown text that was taken back at ${from}: ${excerpt(before.text, from)} became ${excerpt(text, 0)}`)
    // An attempt of which nothing was shown may be given up for another, and nobody notices.
    if (attempt > before.attempt && before.text !== '' && !isRestartExcused(turnId)) find('loss', `was shown a reply that began anew after ${before.text.length} units, in attempt ${attempt}`)
    if (from > kept.length) find('loss', `was shown text with a gap before ${from}`)
    const now = kept.slice(0, from) + text
    shown.set(turnId, { attempt, text: now })
    const turn = conversation.turns.find((other) => other.turnId === turnId)
    const question = conversation.messages.find(({ id }) => id === turn?.userMessageId)
    if (turn === undefined || question === undefined) {
      find('reorder', 'was shown text of a turn that is not stored')
      continue
    }
    const verdict = verifyTranscript(now, question.content)
    // A character of several units may be cut by the way changes are kept, never by what is shown.
    if (!verdict.ok && verdict.problem !== 'truncated') find(verdict.problem === 'gap' ? 'loss' : verdict.problem === 'repeat' ? 'double' : 'reorder', `was shown wrong text at ${verdict.offset}: ${verdict.problem}, ${excerpt(now, verdict.offset)}`)
    if (turn.attempt < attempt) find('double', `was shown attempt ${attempt} of a turn that ended in attempt ${turn.attempt}`)
  }
  for (const [turnId, { attempt, text }] of shown) {
    const turn = conversation.turns.find((other) => other.turnId === turnId)
    const reply = conversation.messages.find(({ id }) => id === turn?.replyMessageId)
    if (reply === undefined || reply.attempt !== attempt || reply.content === text) continue
    findings.push({ kind: reply.content.length > text.length ? 'loss' : 'double', what: `${device} was shown ${text.length} units of a reply in the end, and ${reply.content.length} are stored`, conversationId, turnId, at: turn?.endedAt ?? null })
  }
  return findings
}

function checkFinal({ device, conversationId, final, faults }: Transcript, { messages, turns }: StoredConversation): Finding[] {
  const findings: Finding[] = faults.map((fault) => ({ kind: 'error', what: `${device}: ${fault}`, conversationId, turnId: null, at: null }))
  const find = (kind: FindingKind, what: string, turnId: string | null = null): void => void findings.push({ kind, what: `${device} ${what}`, conversationId, turnId, at: null })
  for (const turnId of final.unfinished) find('loss', 'shows a turn that never ended', turnId)
  const shown = new Map(final.messages.map((message) => [message.id, message]))
  // Of turns that have not ended by the time the rows were read, something else tells.
  const ended = messages.filter(({ role, turnId }) => role !== 'assistant' || turns.find((turn) => turn.turnId === turnId)?.endedAt !== null)
  for (const message of ended) {
    const mine = shown.get(message.id)
    if (mine === undefined) {
      find('loss', `does not show the stored ${message.role} message ${message.id}`, message.turnId)
      continue
    }
    shown.delete(message.id)
    if (mine.text !== message.content) find(mine.text.length < message.content.length ? 'loss' : 'double', `shows message ${message.id} otherwise than stored: ${mine.text.length} units, ${message.content.length}`, message.turnId)
    if (mine.role !== message.role || mine.parentId !== message.parentId) find('reorder', `shows message ${message.id} in another place than stored`, message.turnId)
    if (message.role === 'assistant' && mine.reason !== message.reason) find('reorder', `was told that a reply ended as ${mine.reason}, and it is stored as ${message.reason}`, message.turnId)
    if (message.role === 'assistant' && mine.attempt !== undefined && mine.attempt !== message.attempt) find('reorder', `shows attempt ${mine.attempt} of a reply that is stored as ${message.attempt}`, message.turnId)
  }
  for (const { id, role, turnId } of shown.values()) find('double', `shows a ${role} message ${id} that is not stored`, turnId)
  return findings
}
