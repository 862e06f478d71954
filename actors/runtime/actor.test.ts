import t from 'tap'
import { ChatError } from '../../protocol/errors.ts'
import type { ControlReply } from '../../protocol/bus/control.ts'
import type { ConversationRow, ConversationStore, TurnRow, WriteResult } from '../../storage/conversation-store.ts'
import { ConversationActor, type ActorHost } from './actor.ts'

const now = 1_000_000
const conversation = { conversationId: 1, userId: 'ann', title: 'T', model: null, system: null, lastMessageId: 11, createdAt: 0, updatedAt: 0 } as ConversationRow
const running: TurnRow = {
  turnId: 'turn-1', conversationId: 1, userId: 'ann', clientMessageId: 'c1', userMessageId: 10, parentId: null, replyMessageId: 11,
  state: 'running', attempt: 1, run: 1, bridge: 'b1', barrenGrants: 0, lane: 'standard', model: null, params: {}, acceptedAt: now - 100, startedAt: now - 50, deadlineAt: now + 60_000,
}
const token = { epoch: 1, node: 'edge-1', bootId: 'boot' } as unknown as ConstructorParameters<typeof ConversationActor>[1]

function newActor(unfinished: readonly TurnRow[], over: { write?: () => Promise<WriteResult>; control?: () => Promise<ControlReply | null> } = {}) {
  const turns = new Map<string, ConversationActor>()
  const host: ActorHost = {
    store: { write: over.write ?? (() => Promise.resolve({ status: 'committed' })) } as unknown as ConversationStore,
    now: () => now,
    feeds: { markDirty: () => undefined },
    publish: () => undefined,
    control: over.control ?? (() => Promise.resolve(null)),
    turnAdded: (turnId, actor) => turns.set(turnId, actor),
    turnRemoved: (turnId) => turns.delete(turnId),
    dropped: () => undefined,
    fault: (_message, error) => t.fail(String(error)),
    pause: () => Promise.resolve(),
  }
  return { actor: new ConversationActor(host, token, conversation, unfinished), turns }
}

async function code(promise: Promise<unknown>): Promise<string> {
  return promise.then(() => 'no error', (error: unknown) => (error instanceof ChatError ? error.code : String(error)))
}

t.test('what is read while the conversation is lost is not taken', async (t) => {
  const { actor } = newActor([])
  let taken = false
  const reading = actor.exclusively(
    async () => actor.drop(),
    () => {
      taken = true
    },
  )
  t.equal(await code(reading), 'moved')
  t.notOk(taken)
})

t.test('a commit that comes back after the conversation was lost changes nothing of the turns that its next actor holds', async (t) => {
  let written: (result: WriteResult) => void = () => undefined
  let began: () => void = () => undefined
  const begins = new Promise<void>((resolve) => {
    began = resolve
  })
  const { actor, turns } = newActor([{ ...running, state: 'queued', run: 0, bridge: null }], {
    write: () => {
      began()
      return new Promise((resolve) => {
        written = resolve
      })
    },
  })
  actor.activate()
  const stopping = actor.perform((key) => ({ type: 'stop', key, now, turnId: 'turn-1' }))
  await begins
  actor.drop()
  const next = newActor([]).actor
  turns.set('turn-1', next)
  written({ status: 'committed' })
  t.equal(await code(stopping), 'moved')
  t.equal(turns.get('turn-1'), next)
})

t.test('a run whose bridge does not answer at first is asked for again', async (t) => {
  const answers: (ControlReply | null)[] = [null, null, { v: 1, type: 'attached', text: 'Hello', token_ids: new Uint8Array(20) }]
  let asked = 0
  let told: () => void = () => undefined
  const answered = new Promise<void>((resolve) => {
    told = resolve
  })
  const { actor } = newActor([running], {
    control: () => {
      asked += 1
      const answer = answers.shift() ?? null
      if (answers.length === 0) setImmediate(told)
      return Promise.resolve(answer)
    },
  })
  actor.activate()
  t.ok(actor.hears('turn-1'), 'taken to live until it was asked')
  await answered
  t.equal(asked, 3)
  t.match(actor.state.turns, [{ state: 'running', text: 'Hello' }])
})

t.test('a run that its bridge does not know is not asked for again', async (t) => {
  let asked = 0
  const { actor } = newActor([running], {
    control: () => {
      asked += 1
      return Promise.resolve({ v: 1, type: 'unknown' })
    },
  })
  actor.activate()
  await new Promise((resolve) => setImmediate(resolve))
  t.equal(asked, 1)
  t.notOk(actor.hears('turn-1'))
})
