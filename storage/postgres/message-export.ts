/**
 * All messages of a conversation in constant memory: through a cursor in a transaction of its own, so that they are of one
 * moment however long reading them takes. Where PGlite serves, which has one connection for everybody, page by page.
 */
import Cursor from 'pg-cursor'
import { ChatError } from '../../protocol/errors.ts'
import type { Message } from '../../protocol/websocket/fields.ts'
import type { History } from './history.ts'
import { messageFrom, type StoredMessage } from './rows.ts'
import type { Shard } from './shard.ts'
import { allMessages } from './statements/all-messages.ts'

/** Messages in memory at a time: 2 MiB of text at most. */
const batch = 64
const page = { limit: batch, maxBytes: 256 * 1024 }
/** A transaction that is open keeps Postgres from tidying up. */
const longestMs = 10 * 60_000
/** A server that answers nothing for this long is gone. */
const silenceMs = 7_000

/** Rejects with the signal's reason, and as the store does; `overloaded` where too many read already. */
export async function* exportMessages(parts: { readonly shard: Shard; readonly history: History }, conversationId: number, signal: AbortSignal): AsyncGenerator<readonly Message[], void, undefined> {
  if (parts.shard.config.embedded) yield* inPages(parts.history, conversationId, signal)
  else yield* throughCursor(parts.shard, conversationId, signal)
}

async function* inPages(history: History, conversationId: number, signal: AbortSignal): AsyncGenerator<readonly Message[], void, undefined> {
  for (let after = 0; ; ) {
    signal.throwIfAborted()
    const { messages, hasMore } = await history.after(conversationId, { after, ...page })
    if (messages.length > 0) yield messages
    if (!hasMore) return
    after = messages.at(-1)?.message_id ?? after
  }
}

async function* throughCursor(shard: Shard, conversationId: number, signal: AbortSignal): AsyncGenerator<readonly Message[], void, undefined> {
  signal.throwIfAborted()
  const { client, release } = await shard.connectForExport()
  let isClean = false
  try {
    // Between reads a cursor's statement is under way all the same.
    await inTime(client.query(`BEGIN READ ONLY; SET LOCAL statement_timeout = ${longestMs}; SET LOCAL idle_in_transaction_session_timeout = ${longestMs}`), signal)
    const cursor = client.query(new Cursor<StoredMessage>(allMessages.text, [conversationId]))
    for (;;) {
      const rows = await inTime(cursor.read(batch), signal)
      if (rows.length > 0) yield rows.map(messageFrom)
      if (rows.length < batch) break
    }
    await inTime(cursor.close(), signal)
    await inTime(client.query('COMMIT'), signal)
    isClean = true
  } finally {
    // Whatever is under way on a connection that is closed is rolled back by the server.
    release(!isClean)
  }
}

/** Rejects with ChatError `unavailable` after 7 s. What it gave up is of no more interest, however it ends. */
async function inTime<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  let giveUp: () => void = () => undefined
  const givenUp = new Promise<never>((_, reject) => {
    const timer = setTimeout(() => reject(new ChatError('unavailable')), silenceMs)
    const aborted = (): void => reject(signal.reason as Error)
    signal.addEventListener('abort', aborted)
    giveUp = () => {
      clearTimeout(timer)
      signal.removeEventListener('abort', aborted)
    }
  })
  try {
    signal.throwIfAborted()
    return await Promise.race([work, givenUp])
  } finally {
    giveUp()
    work.catch(() => undefined)
  }
}
