/**
 * A conversation as lines of JSON (NDJSON), oldest message first: as much is read from the store as the client takes, so
 * that its size does not matter.
 */
import type { Message } from '../../protocol/websocket/fields.ts'
import { jsonLine } from '../http/json-line.ts'
import type { StreamAnswer } from '../http/answer.ts'
import type { StreamListener, StreamSink } from '../http/stream-sink.ts'

type Batches = AsyncGenerator<readonly Message[], void, undefined>

/** The first batch is read before anything is answered: what rejects until then is an error like any other. */
export async function conversationExport(conversationId: number, batches: Batches, failed: (error: unknown) => void): Promise<StreamAnswer> {
  const first = await batches.next()
  return {
    status: 200,
    headers: { 'Content-Type': 'application/x-ndjson', 'Content-Disposition': `attachment; filename="conversation-${conversationId}.ndjson"`, 'Cache-Control': 'no-store' },
    open: (sink) => new ConversationExport(sink, first, batches, failed),
    discard: () => void batches.return().catch(failed),
  }
}

class ConversationExport implements StreamListener {
  readonly #sink: StreamSink
  #resume: () => void = () => undefined
  #isLeft = false

  constructor(sink: StreamSink, first: IteratorResult<readonly Message[], void>, batches: Batches, failed: (error: unknown) => void) {
    this.#sink = sink
    this.#write(first, batches)
      .catch((error: unknown) => {
        // The client is to see that something is missing.
        sink.cut()
        if (!this.#isLeft) failed(error)
      })
      .finally(() => void batches.return().catch(failed))
  }

  drained(): void {
    this.#resume()
  }

  closed(): void {
    this.#isLeft = true
    this.#resume()
  }

  /** It goes on: nobody can take it up elsewhere. At the server's deadline it is cut. */
  draining(): void {}

  async #write(first: IteratorResult<readonly Message[], void>, batches: Batches): Promise<void> {
    for (let batch = first; batch.done !== true; batch = await batches.next()) {
      if (this.#isLeft) return
      this.#sink.write(batch.value.map((message) => `${jsonLine(message)}\n`).join(''))
      if (!this.#sink.writable && !this.#isLeft) await new Promise<void>((resolve) => (this.#resume = resolve))
      if (this.#isLeft) return
    }
    this.#sink.end()
  }
}
