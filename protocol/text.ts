/// <reference lib="es2024.string" />
/** What text may be: well-formed Unicode without U+0000, which Postgres, JSON and UTF-8 all carry unchanged. */
import type { ErrorCode } from './errors.ts'
import { limits } from './websocket/limits.ts'

/** Whether the text survives UTF-8 and Postgres: no lone surrogate and no U+0000. */
export function isWellFormed(text: string): boolean {
  return text.isWellFormed() && !text.includes('\0')
}

/** The fault of a message's text, or null. */
export function checkText(text: string): ErrorCode | null {
  if (text.length === 0) return 'text_empty'
  // A UTF-16 code unit is one to three bytes of UTF-8, so most texts need no counting.
  if (text.length > limits.textBytes) return 'text_too_long'
  if (text.length * 3 > limits.textBytes && utf8Length(text) > limits.textBytes) return 'text_too_long'
  return isWellFormed(text) ? null : 'text_not_well_formed'
}

/** Bytes of the text in UTF-8, a lone surrogate counted as U+FFFD. */
export function utf8Length(text: string): number {
  let bytes = text.length
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at)
    if (unit < 0x80) continue
    if (unit < 0x800) {
      bytes += 1
    } else {
      bytes += 2
      // A pair is two units and four bytes.
      if (unit >= 0xd800 && unit <= 0xdbff && (text.charCodeAt(at + 1) & 0xfc00) === 0xdc00) at++
    }
  }
  return bytes
}

/** A model's output as text that can be stored: U+0000 and lone surrogates become U+FFFD, one unit for one. */
export function sanitizeModelText(text: string): string {
  return isWellFormed(text) ? text : text.toWellFormed().replaceAll('\0', '\ufffd')
}

/** Whether the text can be a name of something, such as a user's id: 1 to `most` UTF-16 code units, and well-formed. */
export function isName(text: string, most: number): boolean {
  return text.length >= 1 && text.length <= most && isWellFormed(text)
}
