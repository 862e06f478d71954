import type { ReplyOf } from '../../protocol/websocket/messages.ts'
import type { FeedClient, Subscription } from '../conversation-service.ts'
import type { Feed } from './feed.ts'

/**
 * Subscribes a client to what follows the snapshot that it is told. The snapshot must be the feed's as it stands: taken,
 * or followed up to here, in this turn of the event loop.
 */
export function subscribeAfter({ turns }: Pick<ReplyOf<'conversation.open'>, 'turns'>, feed: Feed, client: FeedClient, onMoved: () => void): Subscription {
  const running = turns.find(({ state }) => state === 'running' || state === 'resuming')
  return feed.subscribe(client, running === undefined ? null : { turnId: running.turn_id, attempt: running.attempt, offset: running.end }, onMoved)
}
