/**
 * The chat page: the files that the bundler made, held in memory, so that a request never reaches the file system.
 * Compressed copies are made in the background, as the best compression of large scripts takes seconds.
 */
import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import path from 'node:path'
import { promisify } from 'node:util'
import { brotliCompress, constants, gzip } from 'node:zlib'
import { chooseCoding, type Coding } from './accept-encoding.ts'
import type { HttpAnswer } from './answer.ts'
import { contentTypeOf } from './content-types.ts'
import type { RequestHead } from './request-head.ts'
import { pageSecurityPolicy } from './security-headers.ts'

interface PageFile {
  readonly type: string
  readonly hash: string
  /** Its name bears a hash of its content. */
  readonly immutable: boolean
  readonly compressible: boolean
  readonly plain: Uint8Array
  readonly compressed: Map<Coding, Uint8Array>
}

const leastCompressedBytes = 1024
const brotli = promisify(brotliCompress)
const gzipped = promisify(gzip)

export class Page {
  readonly #files: ReadonlyMap<string, PageFile>
  readonly #stopped = new AbortController()
  #compressing: Promise<void> | undefined

  private constructor(files: ReadonlyMap<string, PageFile>) {
    this.#files = files
  }

  /** An empty page, which answers how to build it, where the folder does not exist. */
  static async load(folder: string): Promise<Page> {
    const files = new Map<string, PageFile>()
    for (const name of await filesBelow(folder)) {
      const file = await readPageFile(path.join(folder, name), name)
      files.set(`/${name}`, file)
      // A folder's address has no slash at its end.
      if (path.posix.basename(name) === 'index.html') files.set(path.posix.join('/', path.posix.dirname(name)), file)
    }
    return new Page(files)
  }

  /** Makes the compressed copies, one after another. Shares one promise. */
  compress(): Promise<void> {
    this.#compressing ??= this.#compress()
    return this.#compressing
  }

  async stop(): Promise<void> {
    this.#stopped.abort()
    await this.#compressing
  }

  answer(request: Pick<RequestHead, 'path' | 'header'>): HttpAnswer | null {
    const file = this.#files.get(request.path)
    if (file === undefined) return request.path === '/' ? notBuilt : null
    const coding = chooseCoding(request.header('accept-encoding'), new Set(file.compressed.keys()))
    const headers = {
      // Each coding is another representation, and so has its own validator.
      ETag: `"${file.hash}${coding === null ? '' : `-${coding}`}"`,
      'Cache-Control': file.immutable ? 'public, max-age=31536000, immutable' : 'no-cache',
      ...(file.compressible ? { Vary: 'Accept-Encoding' } : {}),
      // On 304 too: a browser takes its headers over into what it has cached.
      ...(file.type.startsWith('text/html') ? { 'Content-Security-Policy': pageSecurityPolicy } : {}),
    }
    if (matches(request.header('if-none-match'), file.hash)) return { status: 304, headers, body: null }
    const body = coding === null ? file.plain : (file.compressed.get(coding) ?? file.plain)
    return {
      status: 200,
      headers: {
        ...headers,
        'Content-Type': file.type,
        ...(coding === null ? {} : { 'Content-Encoding': coding }),
      },
      body,
    }
  }

  async #compress(): Promise<void> {
    for (const file of new Set(this.#files.values())) {
      if (!file.compressible || file.plain.byteLength < leastCompressedBytes) continue
      if (this.#stopped.signal.aborted) return
      file.compressed.set('gzip', await gzipped(file.plain, { level: 7 }))
      const params = { [constants.BROTLI_PARAM_QUALITY]: 9, [constants.BROTLI_PARAM_SIZE_HINT]: file.plain.byteLength }
      file.compressed.set('br', await brotli(file.plain, { params }))
    }
  }
}

async function filesBelow(folder: string): Promise<string[]> {
  try {
    const entries = await readdir(folder, { recursive: true, withFileTypes: true })
    return entries.filter((entry) => entry.isFile()).map((entry) => path.relative(folder, path.join(entry.parentPath, entry.name)).replaceAll(path.sep, '/'))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
}

async function readPageFile(file: string, name: string): Promise<PageFile> {
  const plain = await readFile(file)
  const { type, compressible } = contentTypeOf(path.extname(name).toLowerCase())
  return {
    type,
    compressible,
    plain,
    hash: createHash('sha256').update(plain).digest('base64url').slice(0, 22),
    // The bundler puts what it names by content into this folder.
    immutable: name.startsWith('assets/'),
    compressed: new Map(),
  }
}

/** If-None-Match compares weakly (RFC 9110, 13.1.2), and any coding of the same content will do. */
function matches(header: string, hash: string): boolean {
  if (header === '') return false
  return header.split(',').some((item) => {
    const tag = item.trim().replace(/^W\//, '')
    return tag === '*' || tag === `"${hash}"` || tag.startsWith(`"${hash}-`)
  })
}

const notBuilt: HttpAnswer = {
  status: 503,
  headers: { 'Content-Type': 'text/html; charset=utf-8', 'Cache-Control': 'no-store' },
  body: '<!doctype html><html lang="en"><title>ChatterBot</title><h1>The page is not built</h1><p>The server runs, but its page is missing. Run <code>npm run build</code>, then start the server again.</p></html>\n',
}
