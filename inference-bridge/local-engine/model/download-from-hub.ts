import { createHash } from 'node:crypto'
import { open } from 'node:fs/promises'
import { Agent, fetch } from 'undici'
import type { ModelFile } from './model-files.ts'

/** An unreachable hub is given up within seconds; a slow one may take its time as long as bytes come. */
const timeouts = { connectMs: 5_000, headersMs: 10_000, silenceMs: 15_000 }

export interface HubDownload {
  readonly url: string
  readonly file: ModelFile
  /** Is written anew. Left behind on failure, for the caller to remove. */
  readonly target: string
  readonly signal: AbortSignal
  readonly onBytes: (received: number) => void
}

/** Resolves once the file is whole, verified and on disk. Rejects with an Error whose message says what went wrong. */
export async function downloadFromHub({ url, file, target, signal, onBytes }: HubDownload): Promise<void> {
  const dispatcher = new Agent({ connect: { timeout: timeouts.connectMs }, headersTimeout: timeouts.headersMs, bodyTimeout: timeouts.silenceMs })
  const output = await open(target, 'w')
  try {
    const response = await fetch(url, { dispatcher, signal })
    if (!response.ok || response.body === null) throw new Error(`${url} answered with status ${response.status}`)
    const hash = createHash('sha256')
    let received = 0
    for await (const chunk of response.body as AsyncIterable<Uint8Array>) {
      received += chunk.length
      if (received > file.sizeBytes) throw new Error(`${url} gives more than the ${file.sizeBytes} bytes of the model`)
      hash.update(chunk)
      await output.writeFile(chunk)
      onBytes(received)
    }
    if (received < file.sizeBytes) throw new Error(`${url} ended after ${received} of ${file.sizeBytes} bytes`)
    if (hash.digest('hex') !== file.sha256) throw new Error(`${url} gives a file whose SHA-256 is another`)
    await output.sync()
  } finally {
    await output.close()
    await dispatcher.destroy()
  }
}
