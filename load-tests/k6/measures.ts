/** What is measured besides k6's own metrics, and how a reply is judged. */
import { Counter, Rate, Trend } from 'k6/metrics'
import { kindOfFault, verifyTranscript } from '../simulated-vllm/reply.ts'
import { replyTokens, verifies } from './settings.ts'

/** Milliseconds from the message to the first text, to the next text after one, and from a lost connection to the text that follows. */
export const firstToken = new Trend('first_token', true)
export const textGap = new Trend('text_gap', true)
export const resumed = new Trend('resumed', true)
export const wholeReply = new Trend('whole_reply', true)

export const tokens = new Counter('tokens')
/** Of all replies, those that are what the engine said, to the last character. */
export const intact = new Rate('replies_intact')
export const lost = new Counter('replies_lost')
export const doubled = new Counter('replies_doubled')
export const reordered = new Counter('replies_reordered')
export const failed = new Counter('turns_failed')
/** Refused for a limit or for want of room: told so, and nothing lost. */
export const refused = new Counter('turns_refused')

const faults = { lost, doubled, reordered }

/** `text`: the whole reply to `question`, as a client has it. */
export function judge(text: string, question: string): void {
  if (!verifies) {
    intact.add(text.length > 0)
    return
  }
  const verdict = verifyTranscript(text, question, { tokens: replyTokens })
  intact.add(verdict.ok)
  tokens.add(verdict.tokens)
  if (!verdict.ok) {
    faults[kindOfFault[verdict.problem]].add(1)
    console.error(`a reply is not what the engine said: ${verdict.problem} at ${verdict.offset}`)
  }
}
