import t from 'tap'
import type { ClaimResult, ConversationRow, ConversationStore } from '../../storage/conversation-store.ts'
import type { ActorHost } from './actor.ts'
import { ActorDirectory } from './directory.ts'

const conversation = { conversationId: 1, userId: 'ann', title: null, model: null, system: null, lastMessageId: null, createdAt: 0, updatedAt: 0 } as ConversationRow
const claimed: ClaimResult = { status: 'claimed', token: { epoch: 2, node: 'edge-1', bootId: 'boot' }, conversation, unfinished: [] }
const owned: ClaimResult = { status: 'owned', node: 'edge-2', bootId: 'other' }

function newDirectory() {
  const claims: boolean[] = []
  const store = {
    claim: (_: number, { force = false }: { force?: boolean } = {}) => {
      claims.push(force)
      return Promise.resolve(force ? claimed : owned)
    },
  } as unknown as ConversationStore
  const host = { store, now: () => 0, feeds: { markDirty: () => undefined, held: false }, activated: () => undefined } as unknown as ActorHost
  return { claims, directory: new ActorDirectory({ host, store, maxActors: 10 }) }
}

t.test('who takes a conversation by force gets it, also while others look for its owner', async (t) => {
  const { claims, directory } = newDirectory()
  const [looked, taken, again] = await Promise.all([directory.find(1), directory.find(1, { force: true }), directory.find(1, { force: true })])
  t.match(looked, { type: 'elsewhere', node: 'edge-2' })
  t.equal(taken.type, 'here')
  t.equal(again.type, 'here')
  t.same(claims, [false, true], 'both share one claim')
  t.equal(directory.size, 1)
})

t.test('those who look at once share one claim', async (t) => {
  const { claims, directory } = newDirectory()
  await Promise.all([directory.find(1), directory.find(1), directory.find(1)])
  t.same(claims, [false])
})
