import fc from 'fast-check'
import t from 'tap'
import { writeMsgpack } from '../../protocol/msgpack/writer.ts'
import { MemoryCache } from '../../platform/cache/memory/memory-cache.ts'
import { seal } from '../../platform/cache/sealed.ts'
import type { ChatMessage } from '../vllm/client.ts'
import { ResultCache, resultKey, type Question, type Result } from './result-cache.ts'

const newCaches = () => {
  const cache = new MemoryCache({ maxBytes: 1024 * 1024 })
  return { cache, results: new ResultCache({ cache, ttlMs: 60_000 }) }
}
const question: Question = {
  userId: 'ann',
  model: 'model',
  revision: 'weights',
  asked: [{ role: 'system', content: 'Be brief.' }, { role: 'user', content: 'Why?' }],
  sampling: { maxTokens: 100, temperature: 0, topP: 1, seed: null, presencePenalty: 0, frequencyPenalty: 0 },
  stop: ['.'],
}

t.test('a reply comes back as it was kept', async () => {
  const text = fc.string({ unit: 'grapheme', maxLength: 500 }).filter((each) => !each.includes('\0') && each.isWellFormed())
  const count = fc.nat()
  const result: fc.Arbitrary<Result> = fc.record({ text, reason: fc.constantFrom('stop', 'length'), usage: fc.option(fc.record({ prompt_tokens: count, completion_tokens: count })) })
  await fc.assert(
    fc.asyncProperty(result, async (given) => {
      const { results } = newCaches()
      results.keep('key', given)
      t.same(await results.find('key'), given)
      t.equal(await results.find('another'), null)
    }),
  )
})

t.test('whatever makes another reply, and whoever asks, makes another key', async (t) => {
  const { sampling } = question
  const messages = question.asked as ChatMessage[]
  const others: Question[] = [
    { ...question, userId: 'bob' },
    { ...question, model: 'other' },
    { ...question, revision: 'other weights' },
    { ...question, revision: null },
    { ...question, asked: messages.slice(1) },
    { ...question, asked: [{ role: 'user', content: 'Be brief.' }, { role: 'user', content: 'Why?' }] },
    { ...question, asked: [...messages, { role: 'user', content: '' }] },
    { ...question, asked: 'Why?' },
    { ...question, sampling: { ...sampling, maxTokens: 101 } },
    { ...question, sampling: { ...sampling, topP: 0.5 } },
    { ...question, sampling: { ...sampling, seed: 0 } },
    { ...question, sampling: { ...sampling, presencePenalty: 1 } },
    { ...question, sampling: { ...sampling, frequencyPenalty: 1 } },
    { ...question, stop: [] },
    { ...question, stop: ['.', ''] },
  ]
  const keys = [question, ...others].map(resultKey)
  t.equal(new Set(keys).size, keys.length)
  t.notOk(keys.includes(null))
  t.equal(resultKey({ ...question }), keys[0])
  t.equal(resultKey({ ...question, sampling: { ...sampling, temperature: 0.01 } }), null, 'drawn by chance')
})

t.test('what is no result is none', async (t) => {
  const { cache, results } = newCaches()
  const find = async (bytes: Uint8Array): Promise<Result | null> => {
    await cache.put('key', bytes, 60_000)
    return results.find('key')
  }
  t.same(await find(seal(writeMsgpack(['text', 'stop', [1, 2]]))), { text: 'text', reason: 'stop', usage: { prompt_tokens: 1, completion_tokens: 2 } })
  for (const wrong of [null, 7, [], ['text', 'stop'], [5, 'stop', null], ['text', 'filtered', null], ['text', 'stop', [1]], ['text', 'stop', [1, -2]], ['text', 'stop', [1, 0.5]], ['nul \0', 'stop', null], ['x'.repeat(32 * 1024 + 1), 'stop', null]]) {
    t.equal(await find(seal(writeMsgpack(wrong))), null, JSON.stringify(wrong)?.slice(0, 40))
  }
  const whole = seal(writeMsgpack(['text', 'stop', null]))
  for (let at = 0; at < whole.length; at += 1) {
    t.equal(await find(whole.map((byte, index) => (index === at ? byte ^ 1 : byte))), null)
    t.equal(await find(whole.subarray(0, at)), null)
  }
  t.equal(await find(Buffer.from('garbage')), null)
})
