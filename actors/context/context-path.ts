/** What of a conversation a bridge is given: a message and its ancestors, as far as a page goes. Messages never change, so neither does the path of one. */
import type { ContextMessage } from '../../protocol/bus/begin.ts'
import { utf8Length } from '../../protocol/text.ts'

export interface ContextPath {
  /** Oldest first; the last is the leaf. */
  readonly messages: readonly ContextMessage[]
  /** Parent of the oldest where the page was full. */
  readonly more: number | null
}

export interface PageLimits {
  readonly limit: number
  /** Of contents in UTF-8. The leaf is given however long it is. */
  readonly maxBytes: number
}

/** One page of context on the bus. Other figures need another `contextEntryFormat`, as entries are cut to these. */
export const contextPage: PageLimits = { limit: 200, maxBytes: 256 * 1024 }

export const emptyPath: ContextPath = { messages: [], more: null }

/** The path of a child of `path`'s leaf, exactly as the store would give it. A message without a parent is a child of the empty path. */
export function appendToPath(path: ContextPath, child: ContextMessage, { limit, maxBytes }: PageLimits): ContextPath {
  let bytes = utf8Length(child.content)
  let first = path.messages.length
  for (; first > 0 && path.messages.length - first + 1 < limit && bytes < maxBytes; first -= 1) {
    bytes += utf8Length((path.messages[first - 1] as ContextMessage).content)
    if (bytes > maxBytes) break
  }
  const dropped = path.messages[first - 1]
  return { messages: path.messages.slice(first).concat(child), more: dropped?.message_id ?? path.more }
}
