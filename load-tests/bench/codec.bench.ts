/** What it costs to write a delta and to read a command, against the plainest way of doing so. */
import { Packr } from 'msgpackr'
import { decodeCommand, encodeCommand, encodeDelta } from '../../protocol/websocket/codec.ts'
import { compare } from './compare.ts'
import { headline } from './headlines.ts'
import { runBenchmark } from './program.ts'

const operations = 200_000
const turnId = '01932f5e-0000-7000-8000-000000000001'
const text = ' the quick brown'
const delta = (n: number) => ({ type: 'turn.delta', turn_id: turnId, attempt: 1, offset: n, end: n + text.length, text })
const packr = new Packr({ useRecords: false })

function times(work: (n: number) => unknown): () => void {
  return () => {
    let sink = 0
    for (let n = 0; n < operations; n += 1) if (work(n) !== undefined) sink += 1
    if (sink !== operations) throw new Error('work was left out')
  }
}

const send = { type: 'message.send' as const, ref: 7, conversation_id: 123_456_789, client_message_id: 'b7e2c9f0', text: 'Explain relativity to a curious child, please.' }
const json = Buffer.from(encodeCommand('chatterbot.v1.json', send) as string)
const msgpack = encodeCommand('chatterbot.v1.msgpack', send) as Uint8Array

await runBenchmark({
  name: 'codec',
  title: 'Writing a delta, reading a command',
  question: 'What does the codec cost, against the plainest way of doing the same?',
  options: { rounds: { default: 7, quick: 3, help: 'of each case' } },
  run: async ({ rounds }) => {
    const tables = [
      await compare({
        title: 'A delta as JSON',
        unit: 'frame',
        operations,
        rounds,
        cases: [
          { name: 'encodeDelta', run: times((n) => encodeDelta('chatterbot.v1.json', turnId, 1, n, n + text.length, text)) },
          { name: 'JSON.stringify of an object', run: times((n) => JSON.stringify(delta(n))) },
        ],
      }),
      await compare({
        title: 'A delta as MessagePack',
        unit: 'frame',
        operations,
        rounds,
        cases: [
          { name: 'encodeDelta', run: times((n) => encodeDelta('chatterbot.v1.msgpack', turnId, 1, n, n + text.length, text)) },
          { name: 'msgpackr of an object', run: times((n) => packr.pack(delta(n))) },
        ],
      }),
      await compare({
        title: 'A command, read and checked',
        unit: 'command',
        operations,
        rounds,
        cases: [
          { name: 'decodeCommand of JSON', run: times(() => decodeCommand('chatterbot.v1.json', json, false)) },
          { name: 'JSON.parse, unchecked', run: times(() => JSON.parse(json.toString()) as unknown) },
          { name: 'decodeCommand of MessagePack', run: times(() => decodeCommand('chatterbot.v1.msgpack', msgpack, true)) },
          { name: 'msgpackr, unchecked', run: times(() => packr.unpack(msgpack) as unknown) },
        ],
      }),
    ]
    return { tables, headlines: tables.slice(0, 1).map((table) => headline('a delta written as JSON', table, 'JSON.stringify of an object')) }
  },
})
