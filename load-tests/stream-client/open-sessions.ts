import type { Dialect } from './dialect.ts'
import { dialects } from './dialects.ts'
import type { Session } from './session.ts'
import type { Server } from './wire.ts'

/** More at once would overflow the queues of some servers, and none of ours is to look the better for that. */
const atATime = 100

/** Opens so many connections, each as another user. Rejects with the first refusal, and leaves none open then. */
export async function openSessions(server: Server, dialect: Dialect, count: number): Promise<Session[]> {
  const sessions: Session[] = []
  try {
    while (sessions.length < count) {
      const some = Array.from({ length: Math.min(atATime, count - sessions.length) }, (_, n) => dialects[dialect](server, `stream-${sessions.length + n}`))
      const outcomes = await Promise.allSettled(some)
      for (const each of outcomes) if (each.status === 'fulfilled') sessions.push(each.value)
      const refused = outcomes.find(({ status }) => status === 'rejected')
      if (refused?.status === 'rejected') throw refused.reason
    }
  } catch (error) {
    for (const session of sessions) session.leave()
    throw error
  }
  return sessions
}
