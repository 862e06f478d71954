import fc from 'fast-check'
import t from 'tap'
import type { ContextMessage } from '../../protocol/bus/begin.ts'
import { appendToPath, emptyPath, type ContextPath, type PageLimits } from './context-path.ts'

/** As the store reads it: from the leaf up, one message beyond the bytes. `chain` is oldest first. */
function readPath(chain: readonly ContextMessage[], { limit, maxBytes }: PageLimits): ContextPath {
  const rows: { readonly index: number; readonly bytes: number }[] = []
  for (let index = chain.length - 1, bytes = 0; index >= 0 && rows.length < limit && (rows.length === 0 || bytes < maxBytes); index -= 1) {
    bytes += Buffer.byteLength((chain[index] as ContextMessage).content)
    rows.push({ index, bytes })
  }
  const given = rows.filter(({ bytes }, at) => at === 0 || bytes <= maxBytes)
  const oldest = given.at(-1)
  const full = given.length < rows.length || given.length === limit || (oldest !== undefined && oldest.bytes >= maxBytes)
  return { messages: chain.slice(oldest?.index ?? 0), more: full && oldest !== undefined ? (chain[oldest.index - 1]?.message_id ?? null) : null }
}

const message = fc.record({ role: fc.constantFrom('user', 'assistant'), content: fc.oneof(fc.string({ maxLength: 12 }), fc.string({ unit: 'grapheme', maxLength: 6 }), fc.constant('')) })

t.test('a path that grows message by message is what the store reads, whatever the limits', async () => {
  fc.assert(
    fc.property(fc.array(message, { minLength: 1, maxLength: 40 }), fc.integer({ min: 1, max: 12 }), fc.integer({ min: 0, max: 80 }), (given, limit, maxBytes) => {
      const chain = given.map((each, index): ContextMessage => ({ ...each, message_id: 1_000 + index }))
      const page = { limit, maxBytes }
      let path = emptyPath
      for (const [index, child] of chain.entries()) {
        path = appendToPath(path, child, page)
        t.same(path, readPath(chain.slice(0, index + 1), page))
      }
    }),
  )
})
