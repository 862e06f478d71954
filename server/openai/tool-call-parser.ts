/**
 * Finds calls of tools in a reply as it comes. What it gives does not depend on how the reply was cut into pieces.
 *
 * Text is passed on at once, but for what may be the beginning of a call, and white space, which is dropped beside a call.
 * A call is given whole, as soon as it is closed; one that is open when the reply ends counts if it is complete JSON. What
 * looks like a call and is none is text.
 */
import { callEnd, callStart, readCall, type CalledFunction } from './hermes.ts'

export type ReplyPart =
  | { readonly type: 'text'; readonly text: string }
  | { readonly type: 'call'; readonly call: CalledFunction }

export class ToolCallParser {
  /** Of the reply, not passed on yet. */
  #held = ''
  /** Where in it a call begins, after nothing but white space; null: no call is open. */
  #callAt: number | null = null
  /** Where in it the end of the call is looked for: before, it is not. */
  #searched = 0
  #afterCall = false

  push(piece: string): ReplyPart[] {
    this.#held += piece
    const parts: ReplyPart[] = []
    while (this.#callAt === null ? this.#openCall(parts) : this.#closeCall(this.#callAt, parts));
    return parts
  }

  /** The reply is complete: what is left of it. */
  end(): ReplyPart[] {
    const parts: ReplyPart[] = []
    const call = this.#callAt === null ? null : readCall(this.#held.slice(this.#callAt + callStart.length))
    if (call === null) this.#text(this.#held, parts)
    else parts.push({ type: 'call', call })
    this.#held = ''
    this.#callAt = null
    return parts
  }

  /** Passes on the text before a call. Whether a call begins. */
  #openCall(parts: ReplyPart[]): boolean {
    const at = this.#held.indexOf(callStart)
    const text = this.#held.slice(0, at >= 0 ? at : this.#held.length - beginningAtEnd(this.#held)).trimEnd()
    this.#text(text, parts)
    this.#held = this.#held.slice(text.length)
    if (at < 0) return false
    this.#callAt = at - text.length
    this.#searched = this.#callAt + callStart.length
    return true
  }

  /** Gives the call. Whether it is closed. */
  #closeCall(callAt: number, parts: ReplyPart[]): boolean {
    const at = this.#held.indexOf(callEnd, this.#searched)
    if (at < 0) {
      this.#searched = Math.max(this.#searched, this.#held.length - callEnd.length + 1)
      return false
    }
    const end = at + callEnd.length
    const call = readCall(this.#held.slice(callAt + callStart.length, at))
    if (call === null) {
      this.#text(this.#held.slice(0, end), parts)
    } else {
      parts.push({ type: 'call', call })
      this.#afterCall = true
    }
    this.#held = this.#held.slice(end)
    this.#callAt = null
    return true
  }

  #text(text: string, parts: ReplyPart[]): void {
    const shown = this.#afterCall ? text.trimStart() : text
    if (shown === '') return
    this.#afterCall = false
    parts.push({ type: 'text', text: shown })
  }
}

/** Length of the longest beginning of a call's mark that the text ends with. */
function beginningAtEnd(text: string): number {
  for (let length = Math.min(callStart.length - 1, text.length); length > 0; length--) if (callStart.startsWith(text.slice(-length))) return length
  return 0
}
