import fc from 'fast-check'
import t from 'tap'
import { Compile } from 'typebox/compile'
import { writeMsgpack } from '../msgpack/writer.ts'
import { newTurnId } from '../ids.ts'
import { arbitraryOf } from '../testing/schema-arbitrary.ts'
import * as codec from './codec.ts'
import { BusMessageError, encodeBus } from './codec.ts'
import type { DeltaBatch } from './deltas.ts'
import { busMessages, type BusMessage } from './messages.ts'
import { busVersion } from './subjects.ts'
import { tokenIdsFromBytes, tokenIdsToBytes } from './token-ids.ts'

const malformed = { name: 'BusMessageError', kind: 'malformed' }
const names = Object.keys(busMessages) as (keyof typeof busMessages)[]
const versions = fc.constantFrom(busVersion, busVersion - 1)
const messagesOf = (name: keyof typeof busMessages): fc.Arbitrary<BusMessage> =>
  fc.tuple(arbitraryOf(busMessages[name]), versions).map(([message, v]) => ({ ...(message as BusMessage), v }))

for (const name of names) {
  const decode: (payload: Uint8Array) => unknown = codec[`decode${name}`]
  const validator = Compile(busMessages[name])
  const isFair = (payload: Uint8Array): boolean => {
    try {
      const message = decode(payload)
      // The hot path does not match turn ids, and no random byte makes one.
      return name === 'DeltaBatch' || validator.Check(message)
    } catch (error) {
      return error instanceof BusMessageError
    }
  }

  t.test(`${name} survives the bus, of this version and the one before`, async (t) => {
    fc.assert(
      fc.property(messagesOf(name), (message) => {
        t.strictSame(decode(encodeBus(message)), message)
      }),
    )
  })
  t.test(`any bytes are a ${name} or a BusMessageError`, async () => {
    fc.assert(fc.property(fc.uint8Array(), isFair))
    fc.assert(fc.property(fc.jsonValue(), (value) => isFair(writeMsgpack(JSON.parse(JSON.stringify(value))))))
    fc.assert(
      fc.property(messagesOf(name), fc.nat(), fc.nat(255), (message, where, byte) => {
        const payload = encodeBus(message).slice()
        payload[where % payload.length] = byte
        return isFair(payload)
      }),
    )
  })
  t.test(`a ${name} of a newer version is told apart from a malformed one`, async (t) => {
    t.throws(() => decode(writeMsgpack({ v: busVersion + 1, everything: 'changed' })), { name: 'BusMessageError', kind: 'newer_version' })
    for (const message of [{ v: busVersion }, { v: busVersion - 2 }, { v: 0.5 }, {}, null, [], 'x']) t.throws(() => decode(writeMsgpack(message)), malformed)
    t.throws(() => decode(new Uint8Array(0)), malformed)
  })
}

t.test('a batch is refused for each part of an item that does not fit', async (t) => {
  const good = [newTurnId(3), 1, 0, 'text', 0, tokenIdsToBytes([1])]
  const batch = (item: unknown): Uint8Array => writeMsgpack({ v: busVersion, bridge: 'b', items: [good, item] })
  t.equal(codec.decodeDeltaBatch(batch(good)).items.length, 2)
  const replacements: [number, (string | number | null | number[] | Uint8Array)[]][] = [
    [0, ['', 5, null]],
    [1, [0, -1, 1.5, '1', null]],
    [2, [-1, 1.5, null]],
    [3, [1, null]],
    [4, [-1, 0.5, '']],
    [5, ['', [1], Uint8Array.of(1, 2, 3)]],
  ]
  for (const [index, values] of replacements) for (const value of values) t.throws(() => codec.decodeDeltaBatch(batch((good as unknown[]).with(index, value))), malformed, `item[${index}] = ${String(value)}`)
  for (const item of [null, {}, good.slice(1), [...good, 1]]) t.throws(() => codec.decodeDeltaBatch(batch(item)), malformed)
  for (const message of [{ v: busVersion, bridge: '', items: [] }, { v: busVersion, items: [] }, { v: busVersion, bridge: 'b' }]) t.throws(() => codec.decodeDeltaBatch(writeMsgpack(message)), malformed)
})

t.test('a batch written by hand is what any message is written as', async () => {
  fc.assert(fc.property(messagesOf('DeltaBatch'), (batch) => Buffer.from(codec.encodeDeltaBatch(batch as DeltaBatch)).equals(encodeBus(batch))))
})

t.test('token ids stay views of the payload', async (t) => {
  const payload = encodeBus({ v: busVersion, bridge: 'b', items: [[newTurnId(3), 1, 0, '', 0, tokenIdsToBytes([1, 2, 4_294_967_295])]] })
  const ids = codec.decodeDeltaBatch(payload).items[0]?.[5] as Uint8Array
  t.equal(ids.buffer, payload.buffer)
  t.strictSame(tokenIdsFromBytes(ids), [1, 2, 4_294_967_295])
})

t.test('token ids survive as bytes, wherever these begin', async (t) => {
  fc.assert(
    fc.property(fc.array(fc.nat(0xffffffff)), fc.nat(3), (ids, shift) => {
      const bytes = new Uint8Array(shift + ids.length * 4)
      bytes.set(tokenIdsToBytes(ids), shift)
      t.strictSame(tokenIdsFromBytes(bytes.subarray(shift)), ids)
    }),
  )
  t.strictSame([...tokenIdsToBytes([1, 256])], [1, 0, 0, 0, 0, 1, 0, 0], 'little-endian')
})
