/** What compression of cached contexts costs and saves, on prose and code such as chats are made of. */
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { brotliCompressSync, brotliDecompressSync, constants, deflateRawSync, inflateRawSync } from 'node:zlib'
import { readMsgpack } from '../../protocol/msgpack/reader.ts'
import { writeMsgpack } from '../../protocol/msgpack/writer.ts'
import { repositoryRoot } from '../../tests/harness/repository.ts'
import { compare } from './compare.ts'
import { runBenchmark } from './program.ts'
import type { Table } from './result.ts'

/** Explanations with lists, tables and code, as replies have them. */
const corpus = ['undici', 'ioredis', 'fast-check', 'tap', 'pino', 'pg', 'vite', 'msgpackr'].map((name) => readFileSync(path.join(repositoryRoot(), 'node_modules', name, 'README.md'), 'utf8')).join('\n')

type Row = readonly [id: number, role: number, content: string]

/** Short questions and longer answers, `bytes` of text in all, from somewhere in the corpus. */
function conversation(bytes: number, from: number): Row[] {
  const rows: Row[] = []
  for (let left = bytes, at = from; left > 0; ) {
    const question = rows.length % 2 === 0
    const length = Math.min(left, question ? 120 + ((rows.length * 37) % 200) : 900 + ((rows.length * 211) % 2400))
    if (at + length > corpus.length) at = 0
    rows.push([1_000_000_000_000 + rows.length * 1024, question ? 1 : 2, corpus.slice(at, at + length)])
    at += length
    left -= length
  }
  return rows
}

const brotli = (quality: number) => ({
  name: `brotli ${quality}`,
  compress: (bytes: Uint8Array): Uint8Array => brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: quality, [constants.BROTLI_PARAM_MODE]: constants.BROTLI_MODE_TEXT } }),
  decompress: (bytes: Uint8Array): Uint8Array => brotliDecompressSync(bytes),
})
const deflate = (level: number) => ({
  name: `deflate ${level}`,
  compress: (bytes: Uint8Array): Uint8Array => deflateRawSync(bytes, { level }),
  decompress: (bytes: Uint8Array): Uint8Array => inflateRawSync(bytes),
})
const codecs = [brotli(1), { name: 'MessagePack alone', compress: (bytes: Uint8Array) => bytes, decompress: (bytes: Uint8Array) => bytes }, brotli(4), deflate(1), deflate(6)] as const

const conversations = 8

async function measure(kib: number, rounds: number): Promise<Table[]> {
  const plain = Array.from({ length: conversations }, (_, n) => conversation(kib * 1024, n * 25_000))
  const times = Math.max(1, Math.round(200 / kib))
  const operations = times * conversations
  const cases = codecs.map(({ name, compress, decompress }) => {
    const packed = plain.map((rows) => compress(writeMsgpack(rows)))
    const bytes = Math.round(packed.reduce((sum, each) => sum + each.length, 0) / conversations)
    const write = (): void => {
      for (let n = 0; n < times; n += 1) for (const rows of plain) compress(writeMsgpack(rows))
    }
    const read = (): void => {
      for (let n = 0; n < times; n += 1) for (const each of packed) readMsgpack(decompress(each), { binary: false })
    }
    return { name: `${name}, ${bytes} bytes`, write, read }
  })
  const [ours, ...others] = cases as [(typeof cases)[number], ...typeof cases]
  const of = (title: string, way: 'write' | 'read') => ({ title, unit: 'context', operations, rounds, cases: [{ name: ours.name, run: ours[way] }, ...others.map((each) => ({ name: each.name, run: each[way] }))] as const })
  return [await compare(of(`Writing a context of ${kib} KiB`, 'write')), await compare(of(`Reading a context of ${kib} KiB`, 'read'))]
}

await runBenchmark({
  name: 'context-cache',
  title: 'Contexts, compressed',
  question: 'What does it cost to write and to read a cached context, by the way it is compressed?',
  options: { rounds: { default: 5, quick: 2, help: 'of each case' } },
  run: async ({ rounds }, say) => {
    const tables: Table[] = []
    for (const kib of [1, 8, 64, 256]) {
      say(`${kib} KiB`)
      tables.push(...(await measure(kib, rounds)))
    }
    return { tables }
  },
})
