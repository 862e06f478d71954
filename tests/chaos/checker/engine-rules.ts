/** Whether the engines were asked for each reply once, went on from exactly what was shown, and with the right context. */
import { renderChat } from '../../../load-tests/simulated-vllm/chat-template.ts'
import { tagOf, tagText } from '../../../load-tests/simulated-vllm/reply.ts'
import { hashPrompt } from '../../../load-tests/simulated-vllm/request-log.ts'
import { excusesFor } from './allowances.ts'
import type { EngineRequest, Evidence, Finding, FindingKind, StoredConversation, StoredMessage, StoredTurn } from './evidence.ts'
import { groups } from './stored-rules.ts'

/** An engine notices that a request was given up a moment after its client does. */
const graceMs = 500
/** Of a branch: as long as it fits into the engine's window for certain. Of a longer one, the oldest exchanges are left out. */
const fittingBytes = 40_000

export function checkEngine(evidence: Evidence): Finding[] {
  const shownAt = firstShown(evidence)
  const requests = groups(evidence.engine, ({ tag }) => tag)
  const findings: Finding[] = []
  for (const conversation of evidence.stored) {
    for (const [messageId, turns] of groups(conversation.turns, ({ userMessageId }) => userMessageId)) {
      const question = conversation.messages.find(({ id }) => id === messageId)
      if (question === undefined) continue
      const asked = requests.get(tagText(tagOf(question.content))) ?? []
      requests.delete(tagText(tagOf(question.content)))
      const find = (kind: FindingKind, what: string, request: EngineRequest): void => {
        const turn = turns.find(({ acceptedAt, endedAt }) => acceptedAt <= request.startedAt && request.startedAt <= (endedAt ?? Number.POSITIVE_INFINITY)) ?? turns[0]
        findings.push({ kind, what, conversationId: conversation.conversationId, turnId: turn?.turnId ?? null, at: request.startedAt })
      }
      for (const turn of turns) checkGenerations(turn, asked, shownAt, find)
      checkOverlaps(asked, evidence, find)
      checkContext(conversation, question, asked, evidence, find)
      for (const request of asked) if (!request.resumedIntact) find('reorder', `the engine was given ${request.resumedAt} tokens to go on from that are not its reply's`, request)
    }
  }
  for (const [tag, strangers] of requests) findings.push({ kind: 'reorder', what: `${strangers.length} requests to the engine answer no stored message: ${tag}`, conversationId: null, turnId: null, at: strangers[0]?.startedAt ?? null })
  return findings
}

/** By turn: the attempts of which text was shown, and since when. */
function firstShown({ transcripts }: Evidence): Map<string, Map<number, number>> {
  const shown = new Map<string, Map<number, number>>()
  for (const { changes } of transcripts) {
    for (const { turnId, attempt, at, text } of changes) {
      if (text === '') continue
      const attempts = shown.get(turnId) ?? new Map<number, number>()
      attempts.set(attempt, Math.min(attempts.get(attempt) ?? at, at))
      shown.set(turnId, attempts)
    }
  }
  return shown
}

type Find = (kind: FindingKind, what: string, request: EngineRequest) => void

/** Once text of an attempt was shown, only another attempt may begin from nothing. */
function checkGenerations({ turnId, attempt: lastAttempt, endedAt }: StoredTurn, asked: readonly EngineRequest[], shownAt: ReturnType<typeof firstShown>, find: Find): void {
  const attempts = [...(shownAt.get(turnId) ?? [])].sort(([a], [b]) => a - b)
  const [first] = attempts
  if (first === undefined) return
  const [attempt, since] = first
  const anew = asked.filter(({ resumedAt, startedAt }) => resumedAt === 0 && startedAt > since && startedAt <= (endedAt ?? Number.POSITIVE_INFINITY))
  const more = anew[lastAttempt - attempt]
  if (more !== undefined) find('double', `the engine was asked to begin a reply ${anew.length} times more after its text was shown, and ${lastAttempt - attempt} attempts followed`, more)
}

function checkOverlaps(asked: readonly EngineRequest[], evidence: Evidence, find: Find): void {
  for (const [, same] of groups(asked, ({ promptHash }) => promptHash)) {
    const inOrder = [...same].sort((a, b) => a.startedAt - b.startedAt)
    for (const [index, request] of inOrder.entries()) {
      const before = inOrder.slice(0, index).find(({ endedAt }) => (endedAt ?? Number.POSITIVE_INFINITY) > request.startedAt + graceMs)
      if (before === undefined || excusesFor(evidence.faults, before.startedAt, before.endedAt ?? request.startedAt).overlap) continue
      find('double', `two generations of one reply ran side by side, from ${before.resumedAt} and from ${request.resumedAt} tokens on`, request)
    }
  }
}

/** The prompt holds the conversation up to its question: nothing left out, nothing of another branch. */
function checkContext(conversation: StoredConversation, question: StoredMessage, asked: readonly EngineRequest[], { systemPrompt }: Evidence, find: Find): void {
  if (conversation.messages.reduce((bytes, { content }) => bytes + Buffer.byteLength(content), 0) > fittingBytes) return
  const expected = promptHashOf(conversation, question, systemPrompt)
  for (const request of asked) if (request.promptHash !== expected) find('reorder', 'the engine was given another conversation than the stored one', request)
}

/** Of the prompt that the whole branch makes: exchanges with a reply that says something, and the question. */
export function promptHashOf({ messages, system }: StoredConversation, question: StoredMessage, systemPrompt: string | null): string {
  const byId = new Map(messages.map((message) => [message.id, message]))
  const chain: { role: string; content: string }[] = [{ role: 'user', content: question.content }]
  let reply: StoredMessage | undefined
  // A parent that is not older is found elsewhere, and must not lead in circles here.
  const parentOf = ({ id, parentId }: StoredMessage): StoredMessage | undefined => (parentId !== null && parentId < id ? byId.get(parentId) : undefined)
  for (let at = parentOf(question); at !== undefined; at = parentOf(at)) {
    if (at.role === 'assistant') {
      reply ??= at
    } else {
      if (reply !== undefined && reply.content !== '') chain.unshift({ role: 'user', content: at.content }, { role: 'assistant', content: reply.content })
      reply = undefined
    }
  }
  const instructions = system ?? systemPrompt
  if (instructions !== null) chain.unshift({ role: 'system', content: instructions })
  const ids = renderChat(chain, { addGenerationPrompt: true, continueFinalMessage: false })
  return hashPrompt(ids, ids.length)
}
