import fc from 'fast-check'
import { Packr, Unpackr } from 'msgpackr'
import t from 'tap'
import { MsgpackError, readMsgpack } from './reader.ts'
import { beginMsgpack, finishMsgpack, writeMapHead, writeMsgpack, writeString } from './writer.ts'

const text = fc.oneof(fc.string({ unit: 'binary', maxLength: 80 }), fc.string({ unit: 'grapheme-ascii', maxLength: 80 }), fc.string({ unit: 'binary', minLength: 200, maxLength: 400 }))
const number = fc.oneof(fc.maxSafeInteger(), fc.integer(), fc.integer({ min: -200, max: 70_000 }), fc.double({ noNaN: true, noDefaultInfinity: true })).map((value) => value || 0)
const key = text.filter((name) => name !== '__proto__')
const { value: message } = fc.letrec((tie) => ({
  value: fc.oneof({ depthSize: 'small' }, fc.constant(null), fc.boolean(), number, text, fc.uint8Array({ maxLength: 300 }), tie('array'), tie('map')),
  array: fc.array(tie('value'), { maxLength: 20 }),
  map: fc.dictionary(key, tie('value'), { maxKeys: 20, noNullPrototype: true }),
}))
const withinDepth = (value: unknown, depth = 16): boolean =>
  typeof value !== 'object' || value === null || value instanceof Uint8Array || (depth > 0 && Object.values(value).every((item) => withinDepth(item, depth - 1)))
const messages = message.filter((value) => withinDepth(value))

const peerReader = new Unpackr({ useRecords: false, mapsAsObjects: true, int64AsType: 'number' })
const peerWriter = new Packr({ useRecords: false })
const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values)
/** Compares buffers of any kind by content. */
const plain = (value: unknown): unknown => JSON.stringify(value, (_, item: unknown) => (item instanceof Uint8Array ? { bytes: [...item] } : item && typeof item === 'object' && 'type' in item && item.type === 'Buffer' ? { bytes: (item as unknown as { data: number[] }).data } : item))

t.test('what is written is read back', async () => {
  fc.assert(fc.property(messages, (value) => plain(readMsgpack(writeMsgpack(value), { binary: true })) === plain(value)))
})

t.test('another library reads what we write, and we read what it writes', async () => {
  fc.assert(fc.property(messages, (value) => plain(peerReader.unpack(writeMsgpack(value))) === plain(value)))
  fc.assert(fc.property(messages, (value) => plain(readMsgpack(peerWriter.pack(value), { binary: true })) === plain(value)))
})

t.test('containers and strings of every head are read back', async (t) => {
  for (const length of [0, 15, 16, 31, 32, 33, 40, 41, 255, 256, 65_535, 65_536, 300_000]) {
    for (const value of ['a'.repeat(length), 'é'.repeat(length), new Uint8Array(length).fill(7), new Array<number>(length).fill(1)]) {
      t.equal(plain(readMsgpack(writeMsgpack(value), { binary: true })), plain(value), `length ${length}`)
    }
    const map = Object.fromEntries(Array.from({ length: Math.min(length, 70_000) }, (_, i) => [`k${i}`, i]))
    t.equal(plain(readMsgpack(writeMsgpack(map), { binary: true })), plain(map), `map of ${length}`)
  }
})

t.test('texts of 36 bytes, as ids are, are read as they are, whichever were read before', async () => {
  // Of few endings, so that many share what the reader remembers them by.
  const ending = fc.constantFrom('0123456789abcdef', '0123456789abcdeg', 'ééé456789éé')
  const beginning = fc.oneof(fc.constantFrom('01890a5d-ac96-7004-8', '01890a5d-ac96-7004-9', 'ééééééé004-8'), fc.string({ unit: 'binary', minLength: 7, maxLength: 20 }))
  fc.assert(
    fc.property(fc.array(fc.tuple(beginning, ending).map((parts) => parts.join('').toWellFormed())), (texts) => plain(readMsgpack(writeMsgpack(texts), { binary: false })) === plain(texts)),
  )
})

t.test('messages handed out stay as they are while others are written', async (t) => {
  const values = Array.from({ length: 2000 }, (_, i) => ({ i, text: 'x'.repeat(i % 50 === 7 ? (i * 997) % 1_500_000 : (i * 37) % 3000) }))
  const written = values.map((value) => writeMsgpack(value))
  t.ok(written.every((message, i) => plain(readMsgpack(message, { binary: false })) === plain(values[i])))
})

t.test('a message left unfinished leaves no trace in the next', async (t) => {
  beginMsgpack()
  writeMapHead(3)
  writeString('lost')
  t.same(readMsgpack(writeMsgpack({ a: 1 }), { binary: false }), { a: 1 })
  t.throws(() => writeMsgpack({ a: 1, b: [() => 1] }), TypeError)
  t.same(readMsgpack(writeMsgpack({ a: 2 }), { binary: false }), { a: 2 })
  beginMsgpack()
  writeString('whole')
  t.equal(readMsgpack(finishMsgpack(), { binary: false }), 'whole')
})

t.test('what no message holds is not written', async (t) => {
  for (const value of [undefined, 1n, NaN, Infinity, Symbol('s'), () => 1, new Date(), new Map(), new Set(), /a/, [undefined]]) t.throws(() => writeMsgpack(value), TypeError, String(value))
  t.same(readMsgpack(writeMsgpack({ a: undefined, b: 1 }), { binary: false }), { b: 1 }, 'a field that is undefined is left out')
})

t.test('hostile bytes are refused', async (t) => {
  const hostile: Record<string, Uint8Array> = {
    nothing: bytes(),
    'the reserved byte': bytes(0xc1),
    'a cut off string': bytes(0xa5, 0x61),
    'a cut off number': bytes(0xcb, 0, 0),
    'bytes behind the value': bytes(0xc0, 0xc0),
    'an array with a false length': bytes(0xdd, 0xff, 0xff, 0xff, 0xff),
    'a map with a false length': bytes(0xdf, 0xff, 0xff, 0xff, 0xff),
    'a string with a false length': bytes(0xdb, 0xff, 0xff, 0xff, 0xff),
    'invalid UTF-8': bytes(0xa2, 0xc3, 0x28),
    'a surrogate in UTF-8': bytes(0xa3, 0xed, 0xa0, 0x80),
    'an overlong encoding': bytes(0xa2, 0xc0, 0x80),
    'invalid UTF-8 in a long string': bytes(0xd9, 40, ...new Array<number>(40).fill(0xff)),
    'a number as key': bytes(0x81, 0x01, 0x01),
    'a map as key': bytes(0x81, 0x80, 0x01),
    'an array as key': bytes(0x81, 0x90, 0x01),
    'deep arrays': new Uint8Array(100_000).fill(0x91),
    'deep maps': Uint8Array.from(Array.from({ length: 60_000 }, (_, i) => [0x81, 0xa1, 0x61][i % 3] as number)),
    'a fixext': bytes(0xd4, 0x72, 0x40, 0x91, 0xa1, 0x61),
    'a timestamp': bytes(0xd6, 0xff, 0, 0, 0, 0),
    'an ext 8': bytes(0xc7, 1, 0x78, 0),
    'an ext 16': bytes(0xc8, 0, 1, 0x65, 0),
    'an ext 32': bytes(0xc9, 0, 0, 0, 1, 0x62, 0),
    'binary in a message without': bytes(0xc4, 1, 0),
  }
  for (const [name, data] of Object.entries(hostile)) t.throws(() => readMsgpack(data, { binary: false }), MsgpackError, name)
  const structured = new Packr({ moreTypes: true, structuredClone: true })
  for (const value of [new Date(), new Map([[1, 2]]), new Set([1]), /a+/, new Error('x'), 2n ** 70n, undefined, new Float32Array(2), { record: 1 }]) {
    t.throws(() => readMsgpack(structured.pack(value), { binary: true }), MsgpackError, String(value))
  }
})

t.test('any bytes give a value or a MsgpackError', async () => {
  const total = (data: Uint8Array): boolean => {
    try {
      readMsgpack(data, { binary: data.length % 2 === 0 })
    } catch (error) {
      return error instanceof MsgpackError
    }
    return true
  }
  fc.assert(fc.property(fc.uint8Array({ maxLength: 64 }), total), { numRuns: 2000 })
  fc.assert(
    fc.property(messages, fc.nat(), fc.nat(255), (value, where, byte) => {
      const data = writeMsgpack(value).slice()
      data[where % data.length] = byte
      return total(data)
    }),
  )
})

t.test('integers beyond 53 bits stay integers, beyond what any field allows', async (t) => {
  for (const data of [bytes(0xcf, 0x00, 0x20, 0, 0, 0, 0, 0, 0), bytes(0xcf, 255, 255, 255, 255, 255, 255, 255, 255), bytes(0xd3, 0x7f, 255, 255, 255, 255, 255, 255, 255)]) {
    const value = readMsgpack(data, { binary: false }) as number
    t.ok(Number.isInteger(value) && value > Number.MAX_SAFE_INTEGER)
  }
  t.equal(readMsgpack(bytes(0xd3, 255, 255, 255, 255, 255, 255, 255, 254), { binary: false }), -2)
  t.equal(readMsgpack(bytes(0xcf, 0, 0x1f, 255, 255, 255, 255, 255, 255), { binary: false }), Number.MAX_SAFE_INTEGER)
})

t.test('a key called __proto__ changes no prototype', async (t) => {
  const data = Uint8Array.from([0x82, 0xa9, ...new TextEncoder().encode('__proto__'), 0x81, 0xa1, 0x61, 0x01, 0xa1, 0x62, 0x02])
  const map = readMsgpack(data, { binary: false }) as object
  t.equal(Object.getPrototypeOf(map), Object.prototype)
  t.same(Object.entries(map), [['b', 2]])
})
