import t from 'tap'
import { createLogger } from '../../platform/logging/logger.ts'
import type { ConversationStore, TurnRow } from '../../storage/conversation-store.ts'
import { Sweeper } from './sweeper.ts'

const now = 1_000_000

function row(turnId: string, deadlineAt: number): TurnRow {
  return {
    turnId, conversationId: 1, userId: 'ann', clientMessageId: turnId, userMessageId: 10, parentId: null, replyMessageId: 11,
    state: 'queued', attempt: 1, run: 0, bridge: null, barrenGrants: 0, lane: 'standard', model: null, params: {}, acceptedAt: 0, startedAt: null, deadlineAt,
  }
}

t.test('a turn that cannot be ended keeps no other from being ended or published', async (t) => {
  const rows = [row('waits', now - 3), row('fails', now - 2), row('ends', now - 1), row('lies', now + 1)]
  const store = { sweep: () => Promise.resolve(rows) } as unknown as ConversationStore
  const expired: string[] = []
  const republished: string[] = []
  let release: () => void = () => undefined
  const held = new Promise<void>((resolve) => {
    release = resolve
  })
  const sweeper = new Sweeper({
    store,
    logger: createLogger({ level: 'silent', name: 'test' }),
    now: () => now,
    republish: ({ turnId }) => republished.push(turnId),
    expire: async ({ turnId }) => {
      expired.push(turnId)
      if (turnId === 'waits') await held
      if (turnId === 'fails') throw new Error('owned by another process')
    },
  })
  await sweeper.sweep(0)
  t.same(expired, ['waits', 'fails', 'ends'])
  t.same(republished, ['lies'])
  await new Promise((resolve) => setImmediate(resolve))
  await sweeper.sweep(0)
  t.same(expired, ['waits', 'fails', 'ends', 'fails', 'ends'], 'one whose end is under way is not ended twice')
  let stopped = false
  const stopping = sweeper.stop().then(() => {
    stopped = true
  })
  await new Promise((resolve) => setImmediate(resolve))
  t.notOk(stopped)
  release()
  await stopping
})
