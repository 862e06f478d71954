/** What every Channel does, as tests: each adapter runs them. */
import { randomUUID } from 'node:crypto'
import type { Test } from 'tap'
import { busMessageBytes } from '../../protocol/bus/subjects.ts'
import type { BusStatus, Channel, ChannelMessage } from './channel.ts'

export interface ChannelWorld {
  /** A new client of one bus; closed at the test's end. */
  channel(t: Test): Promise<Channel>
  /** Takes the bus away from all, and gives it back; each resolves when the clients given have noticed. */
  disconnect(...clients: Channel[]): Promise<void>
  reconnect(...clients: Channel[]): Promise<void>
}

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const text = (payload: Uint8Array): string => new TextDecoder().decode(payload)
const subject = (): string => `test.${randomUUID()}`

/** Collects what a subscriber gets, and waits for it. */
class Inbox {
  readonly texts: string[] = []
  #wake: () => void = () => undefined

  readonly handler = (message: ChannelMessage): void => {
    this.texts.push(text(message.payload))
    this.#wake()
  }

  async holds(count: number): Promise<readonly string[]> {
    while (this.texts.length < count) await new Promise<void>((resolve) => (this.#wake = resolve))
    return this.texts
  }
}

const code = async (promise: Promise<unknown>): Promise<unknown> => promise.then(() => 'resolved', (error: { readonly code?: unknown }) => error.code)
const codeOf = (act: () => void): unknown => {
  try {
    return act()
  } catch (error) {
    return (error as { readonly code?: unknown }).code
  }
}

export async function testChannel(t: Test, world: ChannelWorld): Promise<void> {
  /** Whatever both have sent before has arrived: their subscriptions hold, their messages are there. */
  const settled = async (...channels: Channel[]): Promise<void> => {
    for (const channel of channels) {
      const own = subject()
      const subscription = channel.subscribe(own, (message) => message.respond(message.payload))
      await channel.request(own, bytes('settled'), { timeoutMs: 10_000 })
      subscription.unsubscribe()
    }
  }

  await t.test('each message goes to every plain subscriber, in the order of its publisher, and never at once', async (t) => {
    const [one, two] = [await world.channel(t), await world.channel(t)]
    const [own, other, elsewhere] = [new Inbox(), new Inbox(), new Inbox()]
    const here = subject()
    one.subscribe(here, own.handler)
    two.subscribe(here, other.handler)
    two.subscribe(subject(), elsewhere.handler)
    await settled(one, two)
    const sent = Array.from({ length: 500 }, (_, n) => `message ${n}`)
    for (const each of sent) one.publish(here, bytes(each))
    t.equal(own.texts.length, 0)
    t.strictSame(await other.holds(500), sent)
    t.strictSame(await own.holds(500), sent)
    t.equal(elsewhere.texts.length, 0)
  })

  await t.test('each message goes to one member of every queue group', async (t) => {
    const [one, two] = [await world.channel(t), await world.channel(t)]
    const here = subject()
    const [first, second, third, plain] = [new Inbox(), new Inbox(), new Inbox(), new Inbox()]
    one.subscribe(here, first.handler, { queue: 'a' })
    two.subscribe(here, second.handler, { queue: 'a' })
    two.subscribe(here, third.handler, { queue: 'b' })
    two.subscribe(here, plain.handler)
    await settled(one, two)
    for (let n = 0; n < 200; n += 1) one.publish(here, bytes(String(n)))
    await Promise.all([third.holds(200), plain.holds(200)])
    await settled(one, two)
    t.strictSame([...first.texts, ...second.texts].sort((a, b) => Number(a) - Number(b)), plain.texts)
    t.ok(first.texts.length > 0 && second.texts.length > 0, 'both members have a share')
  })

  await t.test('bytes arrive as they were, up to the largest message', async (t) => {
    const channel = await world.channel(t)
    const here = subject()
    channel.subscribe(here, (message) => message.respond(message.payload))
    for (const size of [0, 1, 255, busMessageBytes]) {
      const payload = Uint8Array.from({ length: size }, (_, n) => n % 256)
      t.ok(Buffer.from(await channel.request(here, payload, { timeoutMs: 10_000 })).equals(payload), `${size} bytes`)
    }
    const tooBig = new Uint8Array(busMessageBytes + 1)
    t.equal(codeOf(() => channel.publish(here, tooBig)), 'too_big')
    t.equal(await code(channel.request(here, tooBig, { timeoutMs: 10_000 })), 'too_big')
    const answered = new Promise((resolve) => {
      const big = subject()
      channel.subscribe(big, (message) => {
        const thrown = codeOf(() => message.respond(tooBig))
        message.respond(bytes('small'))
        resolve(thrown)
      })
      channel.publish(big, bytes(''))
    })
    t.equal(await answered, 'too_big')
  })

  await t.test('a subject is literal', async (t) => {
    const channel = await world.channel(t)
    for (const bad of ['', 'a b', 'a.*', '>', 'a..b', '.a', 'a\r\nPUB b 0\r\n']) {
      t.throws(() => channel.publish(bad, bytes('')), RangeError)
      t.throws(() => channel.subscribe(bad, () => undefined), RangeError)
      await t.rejects(channel.request(bad, bytes(''), { timeoutMs: 10_000 }), RangeError)
    }
  })

  await t.test('a request gets the first answer, behind what its responder published before', async (t) => {
    const [one, two] = [await world.channel(t), await world.channel(t)]
    const [here, events] = [subject(), subject()]
    const seen: string[] = []
    one.subscribe(events, (message) => void seen.push(text(message.payload)))
    two.subscribe(here, (message) => {
      two.publish(events, bytes('event'))
      message.respond(bytes(`first to ${text(message.payload)}`))
      message.respond(bytes('second'))
    })
    await settled(one, two)
    seen.push(text(await one.request(here, bytes('me'), { timeoutMs: 10_000 })))
    t.strictSame(seen, ['event', 'first to me'])
  })

  await t.test('many requests at a time each get their own answer', async (t) => {
    const [one, two] = [await world.channel(t), await world.channel(t)]
    const here = subject()
    two.subscribe(here, (message) => setImmediate(() => message.respond(message.payload)), { queue: 'q' })
    await settled(two)
    const answers = await Promise.all(Array.from({ length: 200 }, (_, n) => one.request(here, bytes(String(n)), { timeoutMs: 10_000 })))
    t.strictSame(answers.map(text), Array.from({ length: 200 }, (_, n) => String(n)))
  })

  await t.test('an answer to a publication goes nowhere', async (t) => {
    const channel = await world.channel(t)
    const here = subject()
    const inbox = new Inbox()
    channel.subscribe(here, (message) => {
      message.respond(bytes('x'))
      inbox.handler(message)
    })
    channel.publish(here, bytes('published'))
    t.strictSame(await inbox.holds(1), ['published'])
  })

  await t.test('a request without an answer ends: nobody there, out of time, or aborted', async (t) => {
    const channel = await world.channel(t)
    const silent = subject()
    channel.subscribe(silent, () => undefined)
    t.equal(await code(channel.request(subject(), bytes(''), { timeoutMs: 60_000 })), 'no_responders')
    t.equal(await code(channel.request(silent, bytes(''), { timeoutMs: 20 })), 'timeout')
    t.equal(await code(channel.request(silent, bytes(''), { timeoutMs: 60_000, signal: AbortSignal.abort() })), 'aborted')
    const controller = new AbortController()
    const request = code(channel.request(silent, bytes(''), { timeoutMs: 60_000, signal: controller.signal }))
    controller.abort()
    t.equal(await request, 'aborted')
  })

  await t.test('an answer that comes too late is nobody\'s', async (t) => {
    const channel = await world.channel(t)
    const here = subject()
    const held: ChannelMessage[] = []
    channel.subscribe(here, (message) => void held.push(message))
    t.equal(await code(channel.request(here, bytes('1'), { timeoutMs: 20 })), 'timeout')
    const next = channel.request(here, bytes('2'), { timeoutMs: 10_000 })
    await settled(channel)
    held[0]?.respond(bytes('late'))
    held[1]?.respond(bytes('in time'))
    t.equal(text(await next), 'in time')
  })

  await t.test('who has unsubscribed gets nothing more, not even what is on its way', async (t) => {
    const channel = await world.channel(t)
    const here = subject()
    const [gone, staying] = [new Inbox(), new Inbox()]
    const subscription = channel.subscribe(here, gone.handler)
    channel.subscribe(here, staying.handler)
    channel.publish(here, bytes('on its way'))
    subscription.unsubscribe()
    subscription.unsubscribe()
    channel.publish(here, bytes('later'))
    await staying.holds(2)
    t.strictSame(gone.texts, [])
  })

  await t.test('a handler that throws harms nobody', async (t) => {
    const channel = await world.channel(t)
    const here = subject()
    const inbox = new Inbox()
    channel.subscribe(here, () => {
      throw new Error('thrown by a handler')
    })
    channel.subscribe(here, inbox.handler)
    channel.publish(here, bytes('1'))
    channel.publish(here, bytes('2'))
    t.strictSame(await inbox.holds(2), ['1', '2'])
  })

  await t.test('close takes no more, delivers what was published, lets handlers answer, and tells the status', async (t) => {
    const [one, two] = [await world.channel(t), await world.channel(t)]
    const [here, there] = [subject(), subject()]
    const inbox = new Inbox()
    two.subscribe(there, inbox.handler)
    one.subscribe(here, (message) => message.respond(bytes('answered while closing')))
    await settled(one, two)
    const statuses: BusStatus[] = []
    one.onStatus((status) => statuses.push(status))
    const pending = code(one.request(there, bytes('pending'), { timeoutMs: 60_000 }))
    const answer = two.request(here, bytes(''), { timeoutMs: 10_000 })
    await settled(two)
    for (let n = 0; n < 100; n += 1) one.publish(there, bytes(String(n)))
    const closing = one.close()
    t.equal(closing, one.close())
    await closing
    t.equal(await pending, 'closed')
    t.equal(text(await answer), 'answered while closing')
    t.equal((await inbox.holds(101)).at(-1), '99')
    t.equal(one.status, 'closed')
    t.strictSame(statuses, ['closed'])
    t.equal(codeOf(() => one.publish(there, bytes(''))), 'closed')
    t.equal(codeOf(() => one.subscribe(there, () => undefined)), 'closed')
    t.equal(await code(one.request(there, bytes(''), { timeoutMs: 10_000 })), 'closed')
    t.equal(await code(two.request(here, bytes(''), { timeoutMs: 10_000 })), 'no_responders')
  })

  await t.test('while the bus is away publications are dropped and requests fail; afterwards everyone is heard again', async (t) => {
    const [one, two] = [await world.channel(t), await world.channel(t)]
    const [here, silent] = [subject(), subject()]
    const inbox = new Inbox()
    const statuses: BusStatus[] = []
    const stopped: BusStatus[] = []
    one.onStatus((status) => statuses.push(status))
    one.onStatus((status) => stopped.push(status))()
    two.subscribe(here, inbox.handler)
    two.subscribe(here, (message) => message.respond(message.payload))
    two.subscribe(silent, () => undefined)
    await settled(one, two)
    const pending = code(one.request(silent, bytes(''), { timeoutMs: 60_000 }))
    await settled(one)
    await world.disconnect(one, two)
    t.equal(one.status, 'disconnected')
    t.equal(await pending, 'disconnected')
    one.publish(here, bytes('dropped'))
    t.equal(await code(one.request(here, bytes(''), { timeoutMs: 60_000 })), 'disconnected')
    const late = new Inbox()
    one.subscribe(here, late.handler)
    await world.reconnect(one, two)
    t.equal(one.status, 'connected')
    await settled(one, two)
    t.equal(text(await one.request(here, bytes('back'), { timeoutMs: 10_000 })), 'back')
    await late.holds(1)
    t.strictSame(inbox.texts, ['back'])
    t.strictSame(statuses, ['disconnected', 'connected'])
    t.strictSame(stopped, [])
  })

  await t.test('a channel can be closed while the bus is away', async (t) => {
    const channel = await world.channel(t)
    await world.disconnect(channel)
    await channel.close()
    t.equal(channel.status, 'closed')
    await world.reconnect()
  })
}
