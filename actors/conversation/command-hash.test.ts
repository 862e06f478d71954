import t from 'tap'
import type { Params } from '../../protocol/websocket/fields.ts'
import { commandHash } from './command-hash.ts'

const hash = (params?: Params) => Buffer.from(commandHash({ type: 'message.send', conversation_id: 1, client_message_id: 'k', text: 'Hi', ...(params === undefined ? {} : { params }) })).toString('hex')

t.test('each parameter of a message is part of what it means, and those it does not name are not', async (t) => {
  const all: Required<Params> = { temperature: 0.5, top_p: 0.5, max_tokens: 5, presence_penalty: 0.5, frequency_penalty: 0.5, seed: 5, stop: ['.'], raw: true }
  const hashes = [hash(), ...Object.entries(all).map(([name, value]) => hash({ [name]: value }))]
  t.equal(new Set(hashes).size, hashes.length)
  t.equal(hash({}), hash())
  t.not(hash(all), hash({ ...all, raw: false }))
})
