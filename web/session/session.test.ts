import fc from 'fast-check'
import t from 'tap'
import { ChatError, type ChatMessage, type LiveTurn } from '../../client/client.ts'
import { groupByDay } from './conversation-groups.ts'
import { rememberedUser } from './identity.ts'
import { branchesAt, growTree, newestBelow, shownPath } from './message-tree.ts'
import { conversationOf, hashOf } from './route.ts'
import { ThreadProjection, type HeldConversation } from './shown-messages.ts'

/** Trees whose ids rise from parent to child, as the server's do, with gaps as of messages that were not loaded. */
const nodes = fc
  .array(fc.record({ parent: fc.nat(), loaded: fc.integer({ min: 0, max: 9 }), root: fc.integer({ min: 0, max: 5 }) }), { maxLength: 40 })
  .map((drawn) =>
    drawn
      .map(({ parent, root, loaded }, at) => ({ id: (at + 1) * 10, parentId: at === 0 || root === 0 ? null : ((parent % at) + 1) * 10, loaded: loaded > 0 }))
      .filter(({ loaded }) => loaded)
      .map(({ id, parentId }) => ({ id, parentId })),
  )

t.test('a path goes from parent to child, up to where a parent is missing, and ends in a leaf', async (t) => {
  fc.assert(
    fc.property(nodes, fc.nat(), (drawn, pick) => {
      const tree = growTree(drawn)
      const chosen = drawn.length === 0 ? null : (drawn[pick % drawn.length]?.id ?? null)
      const path = shownPath(tree, chosen)
      if (drawn.length === 0) return path.length === 0
      const first = path[0]
      const last = path.at(-1)
      const linked = path.every((node, at) => at === 0 || node.parentId === path[at - 1]?.id)
      const begins = first !== undefined && (first.parentId === null || !tree.nodes.has(first.parentId))
      const ends = last !== undefined && !tree.children.has(last.id)
      return linked && begins && ends && path.some(({ id }) => id === chosen)
    }),
  )
  t.pass()
})

t.test('every order of arrival makes the same tree', async (t) => {
  fc.assert(
    fc.property(nodes, fc.array(fc.nat(), { minLength: 40, maxLength: 40 }), (drawn, order) => {
      const shuffled = drawn.map((node, at) => ({ node, by: order[at] ?? 0 })).sort((one, other) => one.by - other.by)
      const paths = [drawn, shuffled.map(({ node }) => node)].map((some) => shownPath(growTree(some), null).map(({ id }) => id))
      return JSON.stringify(paths[0]) === JSON.stringify(paths[1])
    }),
  )
  t.pass()
})

t.test('stepping from sibling to sibling visits each branch once, and its path goes through it', async (t) => {
  fc.assert(
    fc.property(nodes, (drawn) => {
      const tree = growTree(drawn)
      return drawn.every((node) => {
        const { number, count, previousId, nextId } = branchesAt(tree, node)
        const siblings = drawn.filter(({ parentId }) => parentId === node.parentId).map(({ id }) => id)
        const at = siblings.indexOf(node.id)
        if (count !== siblings.length || number !== at + 1) return false
        if (previousId !== (siblings[at - 1] ?? null) || nextId !== (siblings[at + 1] ?? null)) return false
        return nextId === null || shownPath(tree, nextId).some(({ id }) => id === nextId)
      })
    }),
  )
  t.pass()
})

t.test('without a choice, or with one that is gone, the newest message is shown', async (t) => {
  const tree = growTree([{ id: 1, parentId: null }, { id: 2, parentId: 1 }, { id: 3, parentId: 1 }, { id: 4, parentId: 2 }])
  t.same(shownPath(tree, null).map(({ id }) => id), [1, 2, 4])
  t.same(shownPath(tree, 99).map(({ id }) => id), [1, 2, 4])
  t.same(shownPath(tree, 3).map(({ id }) => id), [1, 3])
  t.equal(newestBelow(tree, 2), 4)
})

const said = (id: number, parentId: number | null, text: string): ChatMessage => ({ id, parentId, role: 'user', text, turnId: null, clientMessageId: `c${id}`, createdAt: '2026-01-01T00:00:00.000Z' })
const replied = (id: number, parentId: number, text: string): ChatMessage => ({ id, parentId, role: 'assistant', text, turnId: null, createdAt: '2026-01-01T00:00:00.000Z', reason: 'stop', model: 'small' })
const live = (userMessageId: number, replyMessageId: number, text: string): LiveTurn => ({ turnId: `t${replyMessageId}`, userMessageId, replyMessageId, state: 'running', attempt: 1, text, end: text.length, model: 'small', position: null, etaMs: null })
const conversation = (parts: Partial<HeldConversation>): HeldConversation => ({ messages: [], turns: [], outbox: [], ...parts })

t.test('a delta changes the message of its turn and leaves every other object as it was', async (t) => {
  const projection = new ThreadProjection()
  const messages = [said(1, null, 'One'), replied(2, 1, 'Two'), said(3, 2, 'Three')]
  const before = projection.project(conversation({ messages, turns: [live(3, 4, 'Fo')] }), null)
  const after = projection.project(conversation({ messages, turns: [live(3, 4, 'Four')] }), null)
  t.same(after.map(({ text }) => text), ['One', 'Two', 'Three', 'Four'])
  t.same(after.map((message, at) => message === before[at]), [true, true, true, false])
  t.equal(projection.project(conversation({ messages: [...messages], turns: [live(3, 4, 'Four')] }), null), after, 'equal messages are the same list')
})

t.test('a reply keeps its key when it ends, and a message when it is accepted', async (t) => {
  const projection = new ThreadProjection()
  const pending = { clientMessageId: 'c1', kind: 'send', text: 'One', parentId: undefined, state: 'pending', error: null, heldUntil: null, createdAt: '' } as const
  const [sending] = projection.project(conversation({ outbox: [pending] }), null)
  const accepted = projection.project(conversation({ messages: [said(1, null, 'One')], turns: [live(1, 2, 'T')] }), null)
  const ended = projection.project(conversation({ messages: [said(1, null, 'One'), replied(2, 1, 'Two')] }), null)
  t.match(sending, { state: { kind: 'sending', held: null }, id: null, text: 'One' })
  const [held] = projection.project(conversation({ outbox: [{ ...pending, error: new ChatError('rate_limited'), heldUntil: '2026-01-01T00:01:00.000Z' }] }), null)
  t.match(held, { key: sending?.key, state: { kind: 'sending', held: { reason: 'That was a lot at once', until: '2026-01-01T00:01:00.000Z' } } })
  t.equal(sending?.key, accepted[0]?.key)
  t.equal(accepted[1]?.key, ended[1]?.key)
  t.match(ended[1], { state: { kind: 'done', reason: 'stop' }, model: 'small' })
})

t.test('an edit that is on its way takes the place of what it replaces', async (t) => {
  const projection = new ThreadProjection()
  const messages = [said(1, null, 'One'), replied(2, 1, 'Two'), said(3, 2, 'Three'), replied(4, 3, 'Four')]
  const edit = { clientMessageId: 'e', kind: 'edit', text: 'Another three', parentId: 2, state: 'pending', error: null, heldUntil: null, createdAt: '' } as const
  t.same(projection.project(conversation({ messages, outbox: [edit] }), 2).map(({ text }) => text), ['One', 'Two', 'Another three'])
  const failed = { ...edit, state: 'failed', error: new ChatError('busy') } as const
  t.match(projection.project(conversation({ messages, outbox: [failed] }), 2).at(-1), { state: { kind: 'unsent', error: { code: 'busy', retryable: true } } })
  t.equal(projection.project(conversation({ messages, outbox: [{ ...edit, parentId: 77 }] }), 2).length, 4, 'of a branch that is not shown it shows nothing')
  const first = { ...edit, parentId: null } as const
  t.same(projection.project(conversation({ messages, outbox: [first] }), null).map(({ text }) => text), ['Another three'])
})

t.test('a reply that is asked for again shows its versions, and each of them can be chosen', async (t) => {
  const projection = new ThreadProjection()
  const state = conversation({ messages: [said(1, null, 'One'), replied(2, 1, 'Two'), replied(3, 1, 'Other two'), said(4, 2, 'Three')] })
  t.same(projection.project(state, null).map(({ text }) => text), ['One', 'Two', 'Three'])
  const chosen = projection.project(state, 3)
  t.same(chosen.map(({ text }) => text), ['One', 'Other two'])
  t.same(chosen[1]?.branches, { number: 2, count: 2, previousId: 2, nextId: null })
  t.equal(projection.parentForSend(state, 3), 3, 'what is said there names its parent')
  t.equal(projection.parentForSend(state, null), undefined)
})

t.test('conversations stand under the days of the reader', async (t) => {
  const now = new Date(2026, 10, 24, 9, 30)
  const at = (...time: [number, number, number, number?]) => new Date(...time).toISOString()
  const entries = [at(2026, 10, 25), at(2026, 10, 24, 1), at(2026, 10, 23, 23), at(2026, 10, 18), at(2026, 10, 1), at(2026, 8, 3), at(2025, 8, 3)].map((updatedAt, id) => ({ id, title: null, updatedAt }))
  t.same(
    groupByDay(entries, now, 'en').map(({ label, entries: some }) => [label, some.length]),
    [['Today', 2], ['Yesterday', 1], ['Previous 7 days', 1], ['Previous 30 days', 1], ['September', 1], ['September 2025', 1]],
  )
})

t.test('grouping loses nothing and keeps the order', async (t) => {
  const dates = fc.date({ min: new Date('2000-01-01'), max: new Date('2030-01-01'), noInvalidDate: true })
  fc.assert(
    fc.property(fc.array(dates), dates, (drawn, now) => {
      const entries = drawn.sort((one, other) => other.getTime() - one.getTime()).map((date, id) => ({ id, title: null, updatedAt: date.toISOString() }))
      const groups = groupByDay(entries, now)
      const labels = groups.map(({ label }) => label)
      return new Set(labels).size === labels.length && groups.flatMap(({ entries: some }) => some.map(({ id }) => id)).every((id, at) => id === at)
    }),
  )
  t.pass()
})

t.test('addresses name conversations, and nothing else', async (t) => {
  fc.assert(fc.property(fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }), (id) => conversationOf(hashOf(id)) === id))
  for (const hash of ['', '#/', '#/c/', '#/c/0', '#/c/-1', '#/c/01', '#/c/1.5', '#/c/9007199254740993', '#/c/12/x', hashOf(null)]) t.equal(conversationOf(hash), null, hash)
})

t.test('a reader keeps a name as long as the browser keeps anything', async (t) => {
  const kept = new Map<string, string>()
  const storage = { getItem: (key: string) => kept.get(key) ?? null, setItem: (key: string, value: string) => void kept.set(key, value) } as Storage
  const name = rememberedUser(() => storage)
  t.equal(rememberedUser(() => storage), name)
  t.match(name, /^web-[0-9a-f]{32}$/)
  const forbidden = () => {
    throw new Error('SecurityError')
  }
  t.not(rememberedUser(forbidden), rememberedUser(forbidden))
})
