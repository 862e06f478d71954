import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { open, stat } from 'node:fs/promises'
import { pipeline } from 'node:stream/promises'
import type { ModelFile } from './model-files.ts'

/** Stands for a file that does not exist. */
export const absent = 'absent'

/** What is wrong with a file, in words, or `absent`, or null if it is the expected one. */
export async function faultOfFile(path: string, expected: ModelFile, signal: AbortSignal): Promise<string | null> {
  const found = await stat(path).catch(unlessMissing)
  if (found === absent) return absent
  if (!found.isFile()) return 'it is not a file'
  if (found.size !== expected.sizeBytes) return `it has ${found.size} bytes instead of ${expected.sizeBytes}`
  const hash = createHash('sha256')
  await pipeline(createReadStream(path, { highWaterMark: 1024 * 1024 }), hash, { signal })
  return hash.digest('hex') === expected.sha256 ? null : 'its SHA-256 is another'
}

/** For a model that is not ours: whether it begins as a GGUF file does. */
export async function faultOfUnknownModel(path: string): Promise<string | null> {
  const found = await stat(path).catch(unlessMissing)
  if (found === absent) return absent
  if (!found.isFile()) return 'it is not a file'
  const file = await open(path)
  try {
    const { buffer } = await file.read(Buffer.alloc(ggufMagic.length), 0, ggufMagic.length, 0)
    return buffer.equals(ggufMagic) ? null : 'it is no GGUF file'
  } finally {
    await file.close()
  }
}

const ggufMagic = Buffer.from('GGUF')

function unlessMissing(error: NodeJS.ErrnoException): typeof absent {
  if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return absent
  throw error
}
