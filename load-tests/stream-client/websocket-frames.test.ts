import fc from 'fast-check'
import t from 'tap'
import { FrameReader, frameOf, opcode } from './websocket-frames.ts'

/** As a server sends it: not masked. */
function served(code: number, payload: Buffer): Buffer {
  const { length } = payload
  const head = length < 126 ? Buffer.from([0x80 | code, length]) : length < 65_536 ? Buffer.from([0x80 | code, 126, length >> 8, length & 255]) : Buffer.from([0x80 | code, 127, 0, 0, 0, 0, 0, length >> 16, (length >> 8) & 255, length & 255])
  return Buffer.concat([head, payload])
}

t.test('wherever the bytes are cut, each frame is read once, whole and in order', async () => {
  const frames = fc.array(fc.tuple(fc.constantFrom(...Object.values(opcode)), fc.oneof(fc.nat(140), fc.constantFrom(0, 125, 126, 65_535, 65_536))), { minLength: 1, maxLength: 6 })
  fc.assert(
    fc.property(frames, fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 8 }), (asked, shares) => {
      const sent = asked.map(([code, length], index) => ({ code, payload: Buffer.alloc(length, index + 1) }))
      const bytes = Buffer.concat(sent.map(({ code, payload }) => served(code, payload)))
      const cuts = [0, ...shares.map((share) => Math.floor(share * bytes.length)), bytes.length].toSorted((a, b) => a - b)
      const read: { code: number; payload: Buffer }[] = []
      const reader = new FrameReader((code, payload) => read.push({ code, payload: Buffer.from(payload) }))
      const shared = Buffer.alloc(bytes.length)
      for (const [index, cut] of cuts.slice(1).entries()) {
        // As wire.ts does: the next read overwrites.
        const length = bytes.copy(shared, 0, cuts[index], cut)
        reader.read(shared.subarray(0, length))
        shared.fill(0)
      }
      return read.length === sent.length && read.every(({ code, payload }, index) => code === sent[index]?.code && payload.equals(sent[index].payload))
    }),
  )
})

t.test('what no server here sends is refused', async (t) => {
  const reader = (): FrameReader => new FrameReader(() => t.fail('no frame'))
  t.throws(() => reader().read(Buffer.from([0x01, 0x01, 0x61])), /cut in parts/)
  t.throws(() => reader().read(Buffer.from([0xc1, 0x01, 0x61])), /compressed/)
  t.throws(() => reader().read(frameOf(opcode.text, Buffer.from('a'))), /masked/)
})

t.test('a frame of a client has a mask, of zeros', async (t) => {
  t.same([...frameOf(opcode.pong, Buffer.from('ab'))], [0x8a, 0x82, 0, 0, 0, 0, 97, 98])
  t.same([...frameOf(opcode.text, Buffer.alloc(126)).subarray(0, 8)], [0x81, 0xfe, 0, 126, 0, 0, 0, 0])
})
