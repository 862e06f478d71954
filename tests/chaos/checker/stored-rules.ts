/** Whether all that was accepted is stored, once, ended, and the right answer. */
import { readDirectives, verifyTranscript } from '../../../load-tests/simulated-vllm/reply.ts'
import { excusesFor } from './allowances.ts'
import type { Evidence, Finding, FindingKind, Sent, StoredConversation, StoredMessage, StoredTurn } from './evidence.ts'

export function checkStored(evidence: Evidence): Finding[] {
  const byId = new Map(evidence.stored.map((conversation) => [conversation.conversationId, conversation]))
  return [...evidence.stored.flatMap((conversation) => checkConversation(conversation, evidence)), ...evidence.sent.flatMap((sent) => checkSent(sent, byId.get(sent.conversationId), evidence)), ...checkOrder(evidence)]
}

function checkConversation({ conversationId, messages, turns }: StoredConversation, evidence: Evidence): Finding[] {
  const findings: Finding[] = []
  const find = (kind: FindingKind, what: string, turn?: StoredTurn): void => void findings.push({ kind, what, conversationId, turnId: turn?.turnId ?? null, at: turn?.endedAt ?? turn?.acceptedAt ?? null })

  for (const [key, same] of groups(turns, ({ clientMessageId }) => clientMessageId)) if (same.length > 1) find('double', `${same.length} turns were accepted for the one key ${key}`, same[1])
  for (const [key, same] of groups(messages.filter(({ clientMessageId }) => clientMessageId !== null), ({ clientMessageId }) => clientMessageId)) if (same.length > 1) find('double', `${same.length} messages are stored for the one key ${key}`)
  const asked = new Set(evidence.sent.map(({ clientMessageId }) => clientMessageId))
  for (const turn of turns) if (!asked.has(turn.clientMessageId)) find('reorder', `a turn is stored that nobody asked for: ${turn.clientMessageId}`, turn)

  for (const turn of turns) {
    const replies = messages.filter(({ role, turnId }) => role === 'assistant' && turnId === turn.turnId)
    if (replies.length > 1) find('double', `${replies.length} replies are stored for one turn`, turn)
    if (turn.endedAt === null) {
      find('loss', `a turn never ended: it is ${turn.state}`, turn)
      continue
    }
    const reply = messages.find(({ id }) => id === turn.replyMessageId)
    const question = messages.find(({ id }) => id === turn.userMessageId)
    if (question === undefined) find('loss', 'the message of a turn is not stored', turn)
    if (reply === undefined) find('loss', 'the reply of an ended turn is not stored', turn)
    if (reply === undefined || question === undefined) continue
    if (reply.parentId !== question.id || reply.turnId !== turn.turnId) find('reorder', 'a reply hangs below another message than its own', turn)
    if (reply.id <= question.id) find('reorder', `a reply has a lower id than its message: ${reply.id}, ${question.id}`, turn)
    const allowed = evidence.sent.find(({ clientMessageId }) => clientMessageId === turn.clientMessageId)?.params.max_tokens
    for (const fault of replyFaults(question.content, reply, allowed)) find(fault.kind, fault.what, turn)
    if (reply.reason === 'failed') {
      const { failures } = excusesFor(evidence.faults, turn.acceptedAt, turn.endedAt)
      if (!failures.has(reply.error ?? '')) find('error', `a turn failed: ${reply.error ?? 'without an error'}`, turn)
    }
  }
  for (const { id, parentId } of messages) if (parentId !== null && (parentId >= id || !messages.some((other) => other.id === parentId))) find('loss', `message ${id} hangs below ${parentId}, which is not there or younger`)
  return findings
}

function replyFaults(question: string, reply: StoredMessage, allowed: number | undefined): { kind: FindingKind; what: string }[] {
  const { tokens: whole } = readDirectives(question)
  const tokens = reply.reason === 'stop' ? whole : reply.reason === 'length' ? allowed : undefined
  const verdict = verifyTranscript(reply.content, question, tokens === undefined ? {} : { tokens })
  if (verdict.ok) return []
  const kind = { gap: 'loss', too_short: 'loss', truncated: 'loss', repeat: 'double', too_long: 'double', foreign: 'reorder', garbled: 'reorder' } as const
  return [{ kind: kind[verdict.problem], what: `a stored reply (${reply.reason}) is wrong at ${verdict.offset}: ${verdict.problem}, ${excerpt(reply.content, verdict.offset)}` }]
}

function checkSent(sent: Sent, conversation: StoredConversation | undefined, evidence: Evidence): Finding[] {
  const findings: Finding[] = []
  const find = (kind: FindingKind, what: string): void => void findings.push({ kind, what, conversationId: sent.conversationId, turnId: sent.accepted?.turnId ?? null, at: sent.at })
  const { accepted } = sent
  const { refusals } = excusesFor(evidence.faults, sent.at, accepted?.at ?? Number.POSITIVE_INFINITY)
  for (const code of sent.refusals) if (!refusals.has(code)) find('error', `a ${sent.kind} was refused: ${code}`)
  if (accepted === null) {
    find('error', `a ${sent.kind} was never accepted`)
    return findings
  }
  const turn = conversation?.turns.find(({ turnId }) => turnId === accepted.turnId)
  if (turn === undefined) {
    find('loss', 'an accepted message is not stored')
    return findings
  }
  if (turn.clientMessageId !== sent.clientMessageId || turn.userMessageId !== accepted.messageId || turn.replyMessageId !== accepted.replyMessageId) find('reorder', 'a turn is stored otherwise than its acceptance said')
  const message = conversation?.messages.find(({ id }) => id === accepted.messageId)
  if (message !== undefined && message.content !== sent.text) find('reorder', 'a message is stored with another text than was sent')
  for (const repeat of sent.repeats) {
    if (repeat.turnId !== accepted.turnId || repeat.messageId !== accepted.messageId) find('double', 'a repeated key began another turn')
    else if (!repeat.duplicate) find('double', 'a repeated key was accepted as if new')
  }
  return findings
}

/** What one device sent one after the other was accepted in that order. */
function checkOrder({ sent }: Evidence): Finding[] {
  const findings: Finding[] = []
  for (const [, mine] of groups(sent, ({ conversationId, device }) => `${conversationId} ${device}`)) {
    let newest = 0
    for (const { kind, accepted, conversationId, refusals } of mine) {
      // What was refused at first is sent again later.
      if (accepted === null || kind === 'regenerate' || refusals.length > 0) continue
      if (accepted.messageId <= newest) findings.push({ kind: 'reorder', what: `a later message got a lower id: ${accepted.messageId} after ${newest}`, conversationId, turnId: accepted.turnId, at: accepted.at })
      newest = Math.max(newest, accepted.messageId)
    }
  }
  return findings
}

export function groups<T, Key>(items: readonly T[], keyOf: (item: T) => Key): Map<Key, T[]> {
  const found = new Map<Key, T[]>()
  for (const item of items) {
    const key = keyOf(item)
    const group = found.get(key)
    if (group === undefined) found.set(key, [item])
    else group.push(item)
  }
  return found
}

/** Some characters around a place in a text. */
export function excerpt(text: string, at: number): string {
  return JSON.stringify(text.slice(Math.max(0, at - 20), at + 20))
}
