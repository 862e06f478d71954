/** Messages that a conversation begins with: they were said elsewhere, and no turn of this server belongs to them. */
import type { ErrorCode } from './errors.ts'
import { checkText, utf8Length } from './text.ts'
import type { Role } from './websocket/fields.ts'

export interface ImportedMessage {
  readonly role: Role
  /** May be empty, as a reply may. */
  readonly content: string
}

export const importLimits = {
  messages: 2_000,
  /** Of all contents in UTF-8; each has the bounds of any message besides. */
  bytes: 1024 * 1024,
} as const

/** Null where the history can be imported. `index`: the message at fault; the one that is too many, where all together are too large. */
export function importFault(history: readonly ImportedMessage[]): { readonly code: ErrorCode; readonly index: number } | null {
  let bytes = 0
  for (const [index, { content }] of history.entries()) {
    if (index >= importLimits.messages) return { code: 'history_too_long', index }
    const fault = content === '' ? null : checkText(content)
    if (fault !== null) return { code: fault, index }
    bytes += utf8Length(content)
    if (bytes > importLimits.bytes) return { code: 'history_too_long', index }
  }
  return null
}

/** Of all contents, in UTF-8. */
export function historyBytes(history: readonly ImportedMessage[]): number {
  return history.reduce((sum, { content }) => sum + utf8Length(content), 0)
}
