/**
 * People who come back to conversations that are stored: they open one, read an older page, say something, and leave. One
 * thing after the other for all of them, so that the CPU time of each can be told apart. `open`: the conversation is claimed and read; `open again`: closed, and read,
 * as its actor lives; `history page`: 50 messages before what was shown, or before the newest where all was shown; `first turn`: what the conversation's prompt is made of is
 * read and counted; `turn`: it is known.
 */
import { LeanSocket } from './lean-socket.ts'
import { Talker } from './talkers.ts'

export const deeds = ['open', 'open again', 'history page', 'first turn', 'turn'] as const
export type Deed = (typeof deeds)[number]

/** What all that serves has done. */
export interface ServerWork {
  /** CPU seconds: of all of it, and of Postgres among it. */
  readonly all: number
  readonly postgres: number
  /** Of Postgres' write-ahead log. */
  readonly loggedBytes: number
}

export interface Done {
  readonly work: ServerWork
  /** Milliseconds of each, at least one; of turns until they are accepted. */
  readonly ms: readonly number[]
}

export interface Visit {
  readonly userId: string
  readonly conversationId: number
}

const pageMessages = 50
const repeats = 3

/** `work`: so far. At most a socket's worth of conversations of a user. */
export async function visit(port: number, visits: readonly Visit[], replyTokens: number, work: () => Promise<ServerWork>): Promise<ReadonlyMap<Deed, Done>> {
  const talkers = new Map<string, Talker>()
  for (const { userId } of visits) if (!talkers.has(userId)) talkers.set(userId, new Talker(await LeanSocket.open(port, userId)))
  const at = visits.map(({ userId, conversationId }) => ({ talker: talkers.get(userId) as Talker, id: conversationId, before: 0 }))
  const done = new Map<Deed, Done>()

  const measure = async (deed: Deed, times: number, act: (place: (typeof at)[number]) => Promise<number>): Promise<void> => {
    const ms: number[] = []
    const before = await work()
    for (let n = 0; n < times; n += 1) for (const place of at) ms.push(await act(place))
    const after = await work()
    done.set(deed, { work: { all: after.all - before.all, postgres: after.postgres - before.postgres, loggedBytes: after.loggedBytes - before.loggedBytes }, ms })
  }
  const timed = async (act: Promise<unknown>): Promise<number> => {
    const began = performance.now()
    await act
    return performance.now() - began
  }

  const open = async (place: (typeof at)[number]): Promise<void> => {
    const opened = await place.talker.socket.ask({ type: 'conversation.open', conversation_id: place.id })
    if (opened.type !== 'conversation.opened' || opened.messages.length === 0) throw new Error(`${opened.type} shows nothing of a stored conversation`)
    place.before = (opened.has_more ? opened.messages[0] : opened.messages.at(-1))?.message_id ?? 0
  }
  await measure('open', 1, (place) => timed(open(place)))
  await measure('open again', repeats, (place) => timed(place.talker.close(place.id).then(() => open(place))))
  await measure('history page', repeats, ({ talker, id, before }) => timed(talker.socket.ask({ type: 'history.get', conversation_id: id, before, limit: pageMessages })))
  const turn = async ({ talker, id }: (typeof at)[number]): Promise<number> => {
    let acceptedMs = Number.NaN
    await talker.talk(id, `question ${performance.now()}`, replyTokens, performance.now(), (ms) => (acceptedMs = ms))
    return acceptedMs
  }
  await measure('first turn', 1, turn)
  await measure('turn', repeats, turn)
  for (const { socket } of talkers.values()) socket.leave()
  return done
}

/** So many of each user's, in the n-th round: each conversation is visited in one round only, so that it has to be claimed and read. */
export function visitsOf(conversations: ReadonlyMap<string, readonly number[]>, userIds: readonly string[], each: number, round: number): Visit[] {
  return userIds.flatMap((userId) => (conversations.get(userId) ?? []).slice(round * each, (round + 1) * each).map((conversationId) => ({ userId, conversationId })))
}
