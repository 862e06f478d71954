/**
 * A path as bytes for a cache: a checksum, then how the rest is packed, then the path in MessagePack. What comes back from
 * a cache is anybody's: whatever is not exactly an entry of this conversation is none.
 */
import { promisify } from 'node:util'
import { brotliCompress, brotliCompressSync, brotliDecompress, brotliDecompressSync, constants } from 'node:zlib'
import type { ContextMessage } from '../../protocol/bus/begin.ts'
import { readMsgpack } from '../../protocol/msgpack/reader.ts'
import { writeMsgpack } from '../../protocol/msgpack/writer.ts'
import { seal, unseal } from '../../platform/cache/sealed.ts'
import type { ContextPath } from './context-path.ts'

/** Part of the keys: processes of another format do not see these entries. */
export const contextEntryFormat = 3

const compressElsewhere = promisify(brotliCompress)
const decompressElsewhere = promisify(brotliDecompress)
/** Below, a compressor costs more than the bytes it saves. */
const tinyPlain = 1024
/** Below these many bytes the way to another thread and back costs more than the work, some 0.1 ms. */
const smallPlain = 16 * 1024
const smallPacked = 8 * 1024
/** The first byte of an entry: how what follows is packed. */
const [asItIs, compressed] = [Uint8Array.of(0), Uint8Array.of(1)]
/** The quickest: see docs/decisions, on what pays. */
const compression = { params: { [constants.BROTLI_PARAM_QUALITY]: 1, [constants.BROTLI_PARAM_MODE]: constants.BROTLI_MODE_TEXT } }
/** A page has 256 KiB of text, and some hundred ids. */
const mostBytes = 512 * 1024
const roles = ['system', 'user', 'assistant'] as const satisfies readonly ContextMessage['role'][]

export async function encodeContextEntry(conversationId: number, { messages, more }: ContextPath): Promise<Uint8Array> {
  const plain = writeMsgpack([conversationId, more, messages.map(({ message_id, role, content, imported = false }) => [message_id, roles.indexOf(role), content, imported])])
  if (plain.byteLength < tinyPlain) return seal(Buffer.concat([asItIs, plain]))
  return seal(Buffer.concat([compressed, plain.byteLength < smallPlain ? brotliCompressSync(plain, compression) : await compressElsewhere(plain, compression)]))
}

/** Null for anything else. */
export async function decodeContextEntry(conversationId: number, bytes: Uint8Array): Promise<ContextPath | null> {
  const entry = unseal(bytes)
  if (entry === null) return null
  try {
    return pathOf(conversationId, readMsgpack(await unpack(entry), { binary: false }))
  } catch {
    return null
  }
}

async function unpack(entry: Uint8Array): Promise<Uint8Array> {
  const packed = entry.subarray(1)
  if (entry[0] === asItIs[0]) return packed
  if (entry[0] !== compressed[0]) throw new RangeError('packed in a way that is not known')
  const limits = { maxOutputLength: mostBytes }
  return packed.byteLength < smallPacked ? brotliDecompressSync(packed, limits) : decompressElsewhere(packed, limits)
}

function pathOf(conversationId: number, entry: unknown): ContextPath | null {
  if (!Array.isArray(entry) || entry.length !== 3) return null
  const [owner, more, rows] = entry as unknown[]
  if (owner !== conversationId || !(more === null || isId(more)) || !Array.isArray(rows) || rows.length === 0) return null
  const messages = rows.map(messageOf)
  return messages.every((message) => message !== null) ? { messages, more } : null
}

function messageOf(row: unknown): ContextMessage | null {
  if (!Array.isArray(row) || row.length !== 4) return null
  const [message_id, roleIndex, content, imported] = row as unknown[]
  const role = typeof roleIndex === 'number' ? roles[roleIndex] : undefined
  if (!isId(message_id) || role === undefined || typeof content !== 'string' || typeof imported !== 'boolean') return null
  return { message_id, role, content, ...(imported ? { imported } : {}) }
}

function isId(value: unknown): value is number {
  return Number.isSafeInteger(value)
}
