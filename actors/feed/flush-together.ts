/**
 * Brings the subscribers of many feeds up to date. What goes to one connection leaves in one write, as a write costs the
 * same whatever it holds: of all the conversations that it shows, and of the events and the text of each.
 */
import type { ClientConnection } from '../conversation-service.ts'
import type { Subscriber } from './subscriber.ts'

interface Due {
  /** Null where nothing may be sent of it now. */
  due(): readonly Subscriber[] | null
  /** Its subscribers are up to date, as far as they can be. */
  flushed(): void
}

export function flushTogether(feeds: Iterable<Due>): void {
  const flushed: Due[] = []
  const lists: (readonly Subscriber[])[] = []
  for (const feed of feeds) {
    const due = feed.due()
    if (due === null) continue
    flushed.push(feed)
    lists.push(due)
  }
  const [only] = lists
  // A connection shows a conversation once: with many watchers there is nothing to gather, and gathering would be most of it.
  if (only !== undefined && lists.length === 1) for (const subscriber of only) advanceAlone(subscriber)
  else advanceGathered(lists)
  for (const feed of flushed) feed.flushed()
}

function advanceAlone(subscriber: Subscriber): void {
  const connection = subscriber.framed
  if (connection === null || !connection.writable || !subscriber.owesSeveral) subscriber.advance()
  else connection.cork(() => subscriber.advance())
}

function advanceGathered(lists: readonly (readonly Subscriber[])[]): void {
  const first = new Map<ClientConnection, Subscriber>()
  for (const subscribers of lists) {
    for (const subscriber of subscribers) {
      const connection = subscriber.framed
      if (connection === null || !connection.writable) {
        subscriber.advance()
      } else {
        subscriber.next = first.get(connection) ?? null
        first.set(connection, subscriber)
      }
    }
  }
  for (const [connection, subscriber] of first) {
    if (subscriber.next === null) advanceAlone(subscriber)
    else connection.cork(() => advanceAll(subscriber))
  }
}

function advanceAll(first: Subscriber): void {
  for (let each: Subscriber | null = first; each !== null; ) {
    const next: Subscriber | null = each.next
    each.next = null
    each.advance()
    each = next
  }
}
