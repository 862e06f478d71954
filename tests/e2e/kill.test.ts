import t, { type Test } from 'tap'
import { ChatError, type ChatClient, type Conversation, type ConversationState } from '../../client/client.ts'
import { verifyTranscript } from '../../load-tests/simulated-vllm/reply.ts'
import { startSimulatedVllm } from '../../load-tests/simulated-vllm/server.ts'
import { freePort } from '../harness/ports.ts'
import { connectClient, dataFolder, startStandalone, type Standalone } from './standalone-process.ts'

const kills = 20
const users = 6
/** A whole number; printed, so that a failure can be repeated. */
const seed = 20_261

t.setTimeout(400_000)

/** Mulberry32. */
function random(state: number): () => number {
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** Counts what all clients hear. */
class Heard {
  #left = 0
  #resolve: () => void = () => {}

  tick(): void {
    this.#left -= 1
    if (this.#left === 0) this.#resolve()
  }

  /** Resolves when the clients have noticed so many changes more. */
  after(changes: number): Promise<void> {
    this.#left = changes
    return new Promise((resolve) => {
      this.#resolve = resolve
    })
  }
}

/** What one client was shown, watched at every change: text only grows, and an attempt only rises. */
class Witness {
  readonly faults: string[] = []
  readonly #heard: Heard
  readonly #shown = new Map<string, { attempt: number; text: string }>()

  constructor(heard: Heard) {
    this.#heard = heard
  }

  watch(conversation: Conversation): void {
    conversation.subscribe(() => {
      this.#look(conversation.snapshot())
      this.#heard.tick()
    })
  }

  #look(state: ConversationState): void {
    for (const { turnId, attempt, text } of state.turns) this.#note(turnId, attempt, text)
    for (const { turnId, attempt, text, role } of state.messages) if (role === 'assistant' && turnId !== null) this.#note(turnId, attempt ?? 1, text)
  }

  #note(turnId: string, attempt: number, text: string): void {
    const before = this.#shown.get(turnId)
    if (before !== undefined) {
      if (attempt < before.attempt) this.faults.push(`turn ${turnId} went back from attempt ${before.attempt} to ${attempt}`)
      if (attempt === before.attempt && !text.startsWith(before.text)) this.faults.push(`turn ${turnId} took back text that was shown: ${before.text.slice(-40)} | ${text.slice(-40)}`)
      if (attempt === before.attempt && text === before.text) return
    }
    this.#shown.set(turnId, { attempt, text })
  }
}

interface Talker {
  readonly client: ChatClient
  readonly userId: string
  readonly conversation: Conversation
  readonly witness: Witness
  /** By client message id: what was asked, and the reply as this client was told its end. */
  readonly asked: Map<string, Asked>
}

interface Asked {
  readonly question: string
  readonly reason: 'stop' | 'failed'
  readonly reply: string
}

/** Says one thing after the other until it is enough. */
async function talk(talker: Talker, isEnough: () => boolean): Promise<void> {
  for (let n = 0; !isEnough(); n++) {
    const question = `${talker.userId} asks for the ${n}th time [[tokens=${20 + ((n * 37) % 60)}]]${n % 3 === 0 ? ' [[multibyte]]' : ''}`
    const turn = talker.conversation.send(question)
    const { clientMessageId } = turn
    // A reply that was begun five times and killed each time without new text fails, honestly and for good.
    const failed = await turn.finished.then(
      () => false,
      (error: unknown) => {
        if (error instanceof ChatError && error.code === 'engine_unavailable') return true
        throw error
      },
    )
    const reply = talker.conversation.snapshot().messages.find(({ id }) => id === turn.replyMessageId)
    talker.asked.set(clientMessageId, { question, reason: failed ? 'failed' : 'stop', reply: reply?.text ?? '' })
  }
}

t.test(`killed ${kills} times at any moment, the server loses, doubles and reorders nothing`, async (t) => {
  const next = random(seed)
  const engine = await startSimulatedVllm({ tokensPerSecond: 100 })
  t.teardown(() => engine.close())
  const env = { CHATTERBOT_DATA_DIR: dataFolder(t), CHATTERBOT_ENGINE_URL: engine.url, PORT: String(await freePort()), LOG_LEVEL: 'error' }
  let server: Standalone = await startStandalone(t, env)
  const heard = new Heard()
  const talkers = await Promise.all(Array.from({ length: users }, (_, n) => join(t, server.webSocketUrl, `user ${n}`, heard)))

  let killed = 0
  const talking = Promise.all(talkers.map((talker) => talk(talker, () => killed === kills)))
  talking.catch(() => {})
  for (; killed < kills; killed++) {
    // By turns soon after the start, in the middle of recovery, and after so much was said.
    await (killed % 2 === 0 ? new Promise((resolve) => setTimeout(resolve, next() * 1500)) : heard.after(1 + Math.floor(next() * 300)))
    await server.kill()
    server = await startStandalone(t, env)
  }
  await talking

  for (const { witness } of talkers) t.same(witness.faults, [], 'what was shown stayed')
  const said = talkers.flatMap(({ asked }) => [...asked.values()])
  t.ok(said.some(({ reason }) => reason === 'stop'), `of ${said.length} messages ${said.filter(({ reason }) => reason === 'failed').length} failed for good, seed ${seed}`)
  await server.stop()

  server = await startStandalone(t, env)
  for (const { userId, conversation, asked } of talkers) {
    const reader = connectClient(t, server.webSocketUrl, { userId })
    const stored = reader.openConversation(conversation.id)
    await stored.opened
    while (stored.snapshot().hasOlder) await stored.loadOlder()
    const { messages, turns } = stored.snapshot()
    t.same(turns, [], 'nothing is left unfinished')
    t.equal(messages.length, 2 * asked.size, 'a reply for each message, and nothing else')
    t.ok(messages.every(({ id }, at) => at === 0 || id > (messages[at - 1]?.id ?? 0)), 'ids rise')
    for (const [clientMessageId, { question, reason, reply }] of asked) {
      const questions = messages.filter((message) => message.clientMessageId === clientMessageId)
      t.match(questions, [{ role: 'user', text: question }], 'accepted once')
      const replies = messages.filter(({ role, parentId }) => role === 'assistant' && parentId === questions[0]?.id)
      t.match(replies, [{ reason, text: reply }], 'one reply, as it was shown')
      const whole = reason === 'stop' ? { tokens: Number(/tokens=(\d+)/.exec(question)?.[1]) } : {}
      t.match(verifyTranscript(reply, question, whole), { ok: true }, 'in order, the answer to this very message, and complete unless it failed')
    }
  }
  await server.stop()
})

async function join(t: Test, url: string, userId: string, heard: Heard): Promise<Talker> {
  const client = connectClient(t, url, { userId })
  const conversation = await client.createConversation()
  await conversation.opened
  const witness = new Witness(heard)
  witness.watch(conversation)
  return { client, userId, conversation, witness, asked: new Map() }
}
