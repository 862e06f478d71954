import t from 'tap'
import { decodeDeltaBatch } from '../../protocol/bus/codec.ts'
import type { DeltaItem } from '../../protocol/bus/deltas.ts'
import { newTurnId } from '../../protocol/ids.ts'
import { BusError, type Channel } from '../../platform/bus/channel.ts'
import { DeltaPublisher, type DeltaSource } from './delta-publisher.ts'

class Source implements DeltaSource {
  edge = 'e1'
  text = ''
  sent = 0
  readonly #turnId = newTurnId(1)

  takeDelta(): DeltaItem | null {
    if (this.sent === this.text.length) return null
    const from = this.sent
    this.sent = this.text.length
    return [this.#turnId, 1, from, this.text.slice(from), 0, new Uint8Array(0)]
  }

  beat(): DeltaItem {
    return [this.#turnId, 1, this.sent, '', 0, new Uint8Array(0)]
  }
}

interface Sent {
  readonly subject: string
  readonly items: readonly DeltaItem[]
  readonly bytes: number
}

function bench(options: { readonly flushMs?: number; readonly beatMs?: number; readonly monotonic?: () => number; readonly fault?: BusError } = {}): { publisher: DeltaPublisher; sent: Sent[]; dropped: () => number; next: () => Promise<void> } {
  const sent: Sent[] = []
  let dropped = 0
  let waiting: (() => void) | undefined
  const channel = {
    status: 'connected',
    publish: (subject: string, payload: Uint8Array) => {
      if (options.fault !== undefined) throw options.fault
      sent.push({ subject, items: decodeDeltaBatch(payload).items, bytes: payload.byteLength })
      waiting?.()
    },
  } as unknown as Channel
  const publisher = new DeltaPublisher({
    bridge: 'b1',
    channel,
    clock: { now: () => Date.now(), monotonic: options.monotonic ?? (() => performance.now()) },
    flushMs: options.flushMs ?? 5,
    beatMs: options.beatMs ?? 60_000,
    onBatch: (_items, _bytes, lost) => {
      if (lost) dropped += 1
    },
  })
  return { publisher, sent, dropped: () => dropped, next: () => new Promise((resolve) => (waiting = resolve)) }
}

t.test('the first delta of a run goes at once, later ones of all runs together, by edge', async (t) => {
  const { publisher, sent, next } = bench()
  const sources = [new Source(), new Source(), new Source()]
  for (const source of sources) publisher.add(source)
  const [first, second, third] = sources as [Source, Source, Source]
  for (const source of sources) {
    source.text = 'a'
    publisher.mark(source)
  }
  t.same(sent.map(({ items }) => items.length), [1, 1, 1])
  third.edge = 'e2'
  for (let token = 0; token < 10; token++) {
    for (const source of sources) {
      source.text += 'b'
      publisher.mark(source)
    }
  }
  t.equal(sent.length, 3, 'nothing goes before the timer')
  await next()
  t.same(sent.slice(3).map(({ subject, items }) => [subject, items.length]), [['edge.e1.deltas', 2], ['edge.e2.deltas', 1]])
  t.same(sent[3]?.items.map(([, , offset, text]) => [offset, text]), [[1, 'bbbbbbbbbb'], [1, 'bbbbbbbbbb']])
  first.text += 'c'
  publisher.mark(first)
  publisher.remove(first)
  second.text += 'd'
  publisher.mark(second)
  await next()
  t.same(sent[5]?.items.map(([, , , text]) => text), ['d'], 'a run that was removed sends nothing')
  publisher.mark(first)
  for (const source of sources) publisher.remove(source)
})

t.test('what is new can be sent ahead of the timer, and is not sent again by it', async (t) => {
  const { publisher, sent, next } = bench()
  const [flushed, waiting] = [new Source(), new Source()]
  for (const source of [flushed, waiting]) {
    publisher.add(source)
    source.text = 'a'
    publisher.mark(source)
    source.text += 'b'
    publisher.mark(source)
  }
  publisher.flush(flushed)
  t.equal(sent.length, 3)
  await next()
  t.equal(sent[3]?.items.length, 1)
  for (const source of [flushed, waiting]) publisher.remove(source)
})

t.test('no batch is larger than a bus message may be', async (t) => {
  const { publisher, sent, next } = bench()
  const sources = Array.from({ length: 40 }, () => new Source())
  for (const source of sources) {
    publisher.add(source)
    source.text = '-'
    publisher.mark(source)
  }
  for (const source of sources) {
    source.text += '日'.repeat(10_000)
    publisher.mark(source)
  }
  await next()
  const large = sent.slice(40)
  t.ok(large.length > 1 && large.every(({ bytes }) => bytes <= 300 * 1024), large.map(({ bytes }) => bytes).join(', '))
  t.equal(large.reduce((sum, { items }) => sum + items.length, 0), 40)
  for (const source of sources) publisher.remove(source)
})

t.test('a silent run is heard of, and one that sends needs no beat', async (t) => {
  let now = 0
  const { publisher, sent, next } = bench({ beatMs: 20, monotonic: () => now })
  const [silent, talking] = [new Source(), new Source()]
  publisher.add(silent)
  publisher.add(talking)
  for (let beat = 1; beat <= 3; beat++) {
    now += 20
    talking.text += 'x'
    publisher.mark(talking)
    publisher.flush(talking)
    await next()
  }
  publisher.remove(silent)
  publisher.remove(talking)
  const items = sent.flatMap((batch) => batch.items)
  t.same(items.filter(([, , , text]) => text === ''), [silent.beat(), silent.beat(), silent.beat()])
  t.equal(items.filter(([, , , text]) => text !== '').length, 3)
})

t.test('what the bus does not take is dropped and counted, never kept', async (t) => {
  const { publisher, dropped } = bench({ fault: new BusError('closed', 'the channel is closed') })
  const source = new Source()
  publisher.add(source)
  source.text = 'a'
  publisher.mark(source)
  t.equal(dropped(), 1)
  t.equal(source.takeDelta(), null)
  publisher.remove(source)
})
