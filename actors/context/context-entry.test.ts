import { brotliCompressSync } from 'node:zlib'
import fc from 'fast-check'
import t from 'tap'
import { writeMsgpack } from '../../protocol/msgpack/writer.ts'
import { seal } from '../../platform/cache/sealed.ts'
import { decodeContextEntry, encodeContextEntry } from './context-entry.ts'
import type { ContextPath } from './context-path.ts'

const id = fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER })
const path: fc.Arbitrary<ContextPath> = fc.record({
  messages: fc.array(fc.record({ message_id: id, role: fc.constantFrom('system', 'user', 'assistant'), content: fc.string({ unit: 'grapheme', maxLength: 200 }), imported: fc.constant(true) }, { requiredKeys: ['message_id', 'role', 'content'] }), { minLength: 1, maxLength: 20 }),
  more: fc.option(id),
})

const entryOf = (plain: Uint8Array, packing = 1): Uint8Array => seal(Uint8Array.from([packing, ...(packing === 1 ? brotliCompressSync(plain) : plain)]))

t.test('a path comes back as it was, and to its own conversation only', async () => {
  await fc.assert(
    fc.asyncProperty(id, path, async (conversation, given) => {
      const bytes = await encodeContextEntry(conversation, given)
      t.same(await decodeContextEntry(conversation, bytes), given)
      t.equal(await decodeContextEntry(conversation - 1, bytes), null)
    }),
    { numRuns: 50 },
  )
})

t.test('an entry in which a byte is another, or that is cut, is none', async () => {
  await fc.assert(
    fc.asyncProperty(path, fc.nat(), fc.integer({ min: 1, max: 255 }), async (given, where, change) => {
      const bytes = await encodeContextEntry(1, given)
      const flipped = Uint8Array.from(bytes)
      flipped[where % bytes.length] = (bytes[where % bytes.length] as number) ^ change
      t.equal(await decodeContextEntry(1, flipped), null)
      t.equal(await decodeContextEntry(1, bytes.subarray(0, where % bytes.length)), null)
    }),
    { numRuns: 100 },
  )
})

t.test('bytes of anybody are no entry, and cost little', async (t) => {
  await fc.assert(fc.asyncProperty(fc.uint8Array({ maxLength: 100 }), async (bytes) => t.equal(await decodeContextEntry(1, bytes), null)), { numRuns: 50 })
  const message = [7, 1, 'hello', false]
  t.ok(await decodeContextEntry(1, entryOf(writeMsgpack([1, null, [message]]))))
  t.ok(await decodeContextEntry(1, entryOf(writeMsgpack([1, null, [message]]), 0)))
  t.equal(await decodeContextEntry(1, entryOf(writeMsgpack([1, null, [message]]), 2)), null)
  for (const wrong of [null, 'text', [], [1, null], [1, null, []], [2, null, [message]], [1, 'x', [message]], [1, null, [[7, 3, 'hello', false]]], [1, null, [[7, 1, 'hello']]], [1, null, [[0.5, 1, 'hello', false]]], [1, null, [[7, 1, 5, false]]], [1, null, [[7, 1, 'hello', 1]]], [1, null, [message], 'more']]) {
    t.equal(await decodeContextEntry(1, entryOf(writeMsgpack(wrong))), null, JSON.stringify(wrong))
  }
  t.equal(await decodeContextEntry(1, entryOf(Buffer.from('\x93\x01 not messagepack'))), null)
  const bomb = entryOf(writeMsgpack([1, null, [[7, 1, 'a'.repeat(50 * 1024 * 1024), false]]]))
  t.ok(bomb.length < 10_000)
  t.equal(await decodeContextEntry(1, bomb), null)
})
