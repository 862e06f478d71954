/**
 * Whether each connection was told every change exactly once and in order. Stricter than what the SDK shows, which
 * drops what it knows and opens the conversation anew where something is missing.
 */
import type { ServerMessage } from '../../../protocol/websocket/messages.ts'
import type { Evidence, Finding, FindingKind, Frame, Transcript } from './evidence.ts'
import { groups } from './stored-rules.ts'

type End = Extract<ServerMessage, { type: 'turn.finished' | 'turn.failed' }>

export function checkFrames({ transcripts }: Evidence): Finding[] {
  return [...transcripts.flatMap(checkTranscript), ...checkSameEnds(transcripts)]
}

function checkTranscript({ device, conversationId, frames }: Transcript): Finding[] {
  return [...groups(frames, ({ link }) => link).values()].flatMap((ofLink) => {
    const link = new LinkRules(device, conversationId)
    for (const frame of ofLink) link.take(frame)
    return link.findings
  })
}

class LinkRules {
  readonly findings: Finding[] = []
  readonly #device: string
  readonly #conversationId: number
  readonly #answered = new Set<string | number>()
  #turns = new Map<string, { attempt: number; end: number }>()
  #ended = new Set<string>()
  #newestMessage = 0

  constructor(device: string, conversationId: number) {
    this.#device = device
    this.#conversationId = conversationId
  }

  take({ at, message }: Frame): void {
    const find = (kind: FindingKind, what: string, turnId: string | null): void => void this.findings.push({ kind, what: `${this.#device} was told ${what}`, conversationId: this.#conversationId, turnId, at })
    if ('ref' in message && message.ref !== undefined) {
      if (this.#answered.has(message.ref)) find('double', `the answer to one command twice: ${message.type}`, null)
      // The SDK asks again under the same reference.
      if (message.type === 'error' && message.retryable) this.#answered.delete(message.ref)
      else this.#answered.add(message.ref)
    }
    switch (message.type) {
      case 'conversation.opened':
        this.#turns = new Map(message.turns.map(({ turn_id, attempt, end }) => [turn_id, { attempt, end }]))
        this.#ended = new Set()
        this.#newestMessage = message.messages.reduce((newest, { message_id, role }) => (role === 'user' ? Math.max(newest, message_id) : newest), 0)
        for (const { turn_id, offset, end, text } of message.turns) if (end - offset !== text.length) find('reorder', `${text.length} units as the text from ${offset} to ${end}`, turn_id)
        break
      case 'message.added': {
        const { message_id, turn_id } = message.message
        if (message_id <= this.#newestMessage) find(message_id === this.#newestMessage ? 'double' : 'reorder', `of message ${message_id} after ${this.#newestMessage}`, turn_id)
        this.#newestMessage = Math.max(this.#newestMessage, message_id)
        break
      }
      case 'turn.started': {
        const known = this.#turns.get(message.turn_id)
        if (this.#ended.has(message.turn_id)) find('double', 'that a turn begins which had ended', message.turn_id)
        if (known !== undefined && message.attempt < known.attempt) find('reorder', `of attempt ${message.attempt} after ${known.attempt}`, message.turn_id)
        if (known === undefined || message.attempt > known.attempt) this.#turns.set(message.turn_id, { attempt: message.attempt, end: 0 })
        break
      }
      case 'turn.delta': {
        const { turn_id, attempt, offset, end, text } = message
        const known = this.#turns.get(turn_id)
        const standsAt = known?.attempt === attempt ? known.end : 0
        if (this.#ended.has(turn_id)) find('double', 'text of a turn that had ended', turn_id)
        if (known !== undefined && attempt < known.attempt) find('reorder', `text of attempt ${attempt} after ${known.attempt}`, turn_id)
        if (offset > standsAt) find('loss', `text from ${offset} on, and stood at ${standsAt}`, turn_id)
        if (offset < standsAt) find('double', `text from ${offset} on again, and stood at ${standsAt}`, turn_id)
        if (end - offset !== text.length) find('reorder', `${text.length} units as the text from ${offset} to ${end}`, turn_id)
        this.#turns.set(turn_id, { attempt, end })
        break
      }
      case 'turn.finished':
      case 'turn.failed': {
        const { turn_id, attempt, end } = message
        const known = this.#turns.get(turn_id)
        const standsAt = known?.attempt === attempt ? known.end : 0
        if (this.#ended.has(turn_id)) find('double', 'the end of a turn twice', turn_id)
        if (end !== standsAt) find(end > standsAt ? 'loss' : 'double', `that a reply ends at ${end}, and stood at ${standsAt}`, turn_id)
        this.#ended.add(turn_id)
        break
      }
      default:
    }
  }
}

/** However many were told of a turn's end, and however often: it is one. */
function checkSameEnds(transcripts: readonly Transcript[]): Finding[] {
  const ends = transcripts.flatMap(({ conversationId, frames }) => frames.flatMap(({ at, message }) => (message.type === 'turn.finished' || message.type === 'turn.failed' ? [{ conversationId, at, message }] : [])))
  const findings: Finding[] = []
  for (const [turnId, told] of groups(ends, ({ message }) => message.turn_id)) {
    const kinds = new Set(told.map(({ message }) => describe(message)))
    const [first] = told
    if (kinds.size > 1 && first !== undefined) findings.push({ kind: 'double', what: `clients were told different ends: ${[...kinds].join('; ')}`, conversationId: first.conversationId, turnId, at: first.at })
  }
  return findings
}

function describe(end: End): string {
  return `${end.type === 'turn.finished' ? end.reason : end.error.code} at ${end.end} of attempt ${end.attempt}, message ${end.message_id}`
}
