/**
 * Compressed answers of the API and of what operators ask, each made once, off the event loop. Streams are never compressed:
 * their text would wait for a block to fill.
 *
 * That lengths of compressed answers tell of secrets in them (BREACH) takes somebody who has a victim's browser ask with the
 * victim's credentials, and no browser sends ours by itself. What bears a new secret is too small to be compressed, or says
 * `no-transform`.
 */
import { promisify } from 'node:util'
import { brotliCompress, constants, gzip } from 'node:zlib'
import { chooseCoding, codings, type Coding } from './accept-encoding.ts'
import type { HttpAnswer } from './answer.ts'

/** Smaller ones fit into the first packets anyway. */
const leastBytes = 1024
/** Under way at once; the answers of more go as they are. */
const mostAtOnce = 64
/** Of 64 KiB of messages, brotli's 3 leaves 32 % in 3 ms of a core, 5 leaves 30 % in 6; gzip's 4 leaves 31 % in 2. */
const brotliQuality = 3
const gzipLevel = 4

const compressible = /^(application\/(json|problem\+json|openapi\+json)|text\/(plain|html))\b/
const available: ReadonlySet<Coding> = new Set(codings)
const compress: Readonly<Record<Coding, (body: Buffer) => Promise<Buffer>>> = {
  br: (body) => promisify(brotliCompress)(body, { params: { [constants.BROTLI_PARAM_QUALITY]: brotliQuality, [constants.BROTLI_PARAM_SIZE_HINT]: body.byteLength } }),
  gzip: (body) => promisify(gzip)(body, { level: gzipLevel }),
}

export class Compression {
  #underWay = 0

  /** Rejects only where the library fails. `acceptEncoding`: the header; empty where absent. */
  async apply(answer: HttpAnswer, acceptEncoding: string): Promise<HttpAnswer> {
    const { headers, body } = answer
    if (body === null || body.length < leastBytes || !isCompressible(answer)) return answer
    const plain: HttpAnswer = { ...answer, headers: { ...headers, Vary: withMember(headers['Vary'], 'Accept-Encoding') } }
    const coding = chooseCoding(acceptEncoding, available)
    if (coding === null || this.#underWay >= mostAtOnce) return plain
    this.#underWay += 1
    try {
      const compressed = await compress[coding](Buffer.from(body))
      return { ...plain, headers: { ...plain.headers, ...weakened(headers['ETag']), 'Content-Encoding': coding }, body: compressed }
    } finally {
      this.#underWay -= 1
    }
  }
}

function isCompressible({ status, headers }: HttpAnswer): boolean {
  return status !== 206 && !('Content-Encoding' in headers) && compressible.test(headers['Content-Type'] ?? '') && !(headers['Cache-Control'] ?? '').includes('no-transform')
}

/** A strong validator is one of these very bytes (RFC 9110, 8.8.1); of the same content it is weak. */
function weakened(etag: string | undefined): Readonly<Record<string, string>> {
  return etag === undefined || etag.startsWith('W/') ? {} : { ETag: `W/${etag}` }
}

function withMember(list: string | undefined, member: string): string {
  return list === undefined ? member : `${list}, ${member}`
}
