/** Somebody who asks for too much, over WebSockets and HTTP at once, and somebody else who does not. */
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import t from 'tap'
import { WebSocket } from 'undici'
import { expectedText } from '../../load-tests/simulated-vllm/reply.ts'
import { startSimulatedVllm } from '../../load-tests/simulated-vllm/server.ts'
import { connectClient, dataFolder, runStandalone, startStandalone } from './standalone-process.ts'

t.setTimeout(120_000)

interface Answer {
  readonly type: string
  readonly ref?: number
  readonly code?: string
  readonly conversation_id?: number
  readonly retry_after_ms?: number
  readonly limits?: Readonly<Record<string, unknown>>
}

/** A client that keeps to no limit. */
class Hammer {
  readonly #socket: WebSocket
  readonly #waiting = new Map<number, (answer: Answer) => void>()
  #ref = 0

  constructor(url: string) {
    this.#socket = new WebSocket(url, 'chatterbot.v1.json')
    this.#socket.addEventListener('message', ({ data }) => {
      const answer = JSON.parse(String(data)) as Answer
      if (answer.ref !== undefined) this.#waiting.get(answer.ref)?.(answer)
    })
  }

  async ready(user: string): Promise<Answer> {
    await once(this.#socket, 'open')
    return this.ask({ type: 'hello', user_id: user })
  }

  ask(command: Readonly<Record<string, unknown>>): Promise<Answer> {
    const ref = ++this.#ref
    const answer = new Promise<Answer>((resolve) => this.#waiting.set(ref, resolve))
    this.#socket.send(JSON.stringify({ ...command, ref }))
    return answer
  }

  close(): void {
    this.#socket.close()
  }
}

t.test('whoever asks for too much is refused beyond the limits of the plan, and others get all that they ask for', async (t) => {
  const engine = await startSimulatedVllm({ replyTokens: 8 })
  t.teardown(() => engine.close())
  const folder = dataFolder(t)
  const plans = path.join(t.testdir(), 'plans.json')
  await writeFile(plans, JSON.stringify({ plans: { default: { requests_per_minute: 50, turns_per_minute: 20, concurrent_turns: 15, sockets: 4, max_tokens: 500 } } }))
  const server = await startStandalone(t, { CHATTERBOT_DATA_DIR: folder, CHATTERBOT_ENGINE_URL: engine.url, CHATTERBOT_PLANS_FILE: plans, CHATTERBOT_FRAMES_PER_SECOND: '1000' })
  const socketUrl = `${server.ready.url.replace('http', 'ws')}/ws`
  const list = (user: string) => fetch(`${server.ready.url}/conversations`, { headers: { 'X-User-Id': user } })
  const ann = connectClient(t, socketUrl, { userId: 'ann' })
  const conversation = await ann.createConversation()

  const hammers = Array.from({ length: 4 }, () => new Hammer(socketUrl))
  t.teardown(() => hammers.forEach((hammer) => hammer.close()))
  const [welcome] = await Promise.all(hammers.map((hammer) => hammer.ready('mallory')))
  t.match(welcome, { type: 'welcome', limits: { plan: 'default', turns_per_minute: 20, concurrent_turns: 15, max_tokens: 500 } })
  const fifth = new Hammer(socketUrl)
  t.match(await fifth.ready('mallory'), { type: 'error', code: 'too_many_connections' })

  const own = await Promise.all(hammers.map((hammer) => hammer.ask({ type: 'conversation.create' })))
  const hammering = Promise.all(
    hammers.flatMap((hammer, at) => Array.from({ length: 60 }, (_, n) => hammer.ask({ type: 'message.send', conversation_id: own[at]?.conversation_id, client_message_id: `${n}`, text: 'more' }))),
  )
  const flooding = Promise.all(Array.from({ length: 300 }, () => list('mallory')))

  const asked = Array.from({ length: 10 }, (_, n) => `Question ${n} [[tokens=8]]`)
  const texts: string[] = []
  for (const question of asked) {
    texts.push((await conversation.send(question).finished).text)
    t.equal((await list('ann')).status, 200)
  }
  t.same(texts, asked.map((question) => expectedText(question, 8)))

  const answers = await hammering
  const accepted = answers.filter(({ type }) => type === 'message.accepted').length
  t.ok(accepted <= 20, `${accepted} were accepted`)
  const codes = new Set(answers.filter(({ type }) => type === 'error').map(({ code }) => code))
  for (const code of codes) t.ok(['rate_limited', 'too_many_turns', 'busy', 'too_many_commands', 'unavailable'].includes(code ?? ''), `${code}`)
  t.ok(answers.filter(({ code }) => code === 'rate_limited' || code === 'too_many_turns').every(({ retry_after_ms }) => (retry_after_ms ?? 0) > 0))
  t.ok(engine.requests.length <= accepted + asked.length, 'the engine saw no more than was accepted')

  const responses = await flooding
  t.equal(responses.filter(({ status }) => status === 200).length, 50)
  const refused = responses.filter(({ status }) => status === 429)
  t.equal(refused.length, 250)
  for (const response of refused) {
    t.match(response.headers.get('retry-after'), /^\d+$/)
    t.match(response.headers.get('ratelimit'), /^"requests_per_minute";r=0;t=\d+$/)
    t.match(response.headers.get('content-type'), 'application/problem+json')
  }
  t.match(await refused[0]?.json(), { code: 'rate_limited', status: 429 })
  const metrics = await (await fetch(`${server.ready.url}/metrics`)).text()
  t.match(metrics, /^chatterbot_limits_refused_total\{.*limit="requests_per_minute".*\} 250$/m)
  t.match(metrics, /^chatterbot_limits_refused_total\{.*limit="sockets".*\} 1$/m)
})

t.test('a file of plans with faults is refused at the start, with all of them', async (t) => {
  const plans = path.join(t.testdir(), 'plans.json')
  await writeFile(plans, JSON.stringify({ plans: { gold: { lane: 'fast', turns: 5 } } }))
  const { code, output } = await runStandalone({ CHATTERBOT_DATA_DIR: dataFolder(t), CHATTERBOT_ENGINE_URL: 'http://127.0.0.1:1', CHATTERBOT_PLANS_FILE: plans })
  t.equal(code, 78)
  t.match(output, /has 2 faults:(.|\n)*plans\.gold\.lane is to be premium, standard or batch(.|\n)*plans\.gold\.turns: there is no such field/)
})
