/** An engine whose every answer a test writes: for dialects and refusals that the simulated one does not have. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Test } from 'tap'

export interface FakeAnswer {
  /** 200 where absent. */
  readonly status?: number
  readonly body: string
}

export interface FakeRequest {
  readonly path: string
  readonly body: Record<string, unknown>
  readonly authorization: string | undefined
}

export interface FakeEngine {
  readonly url: string
  /** All but those for models. */
  readonly requests: readonly FakeRequest[]
}

export async function startFakeEngine(t: Test, models: readonly object[], answer: (request: FakeRequest) => FakeAnswer | undefined): Promise<FakeEngine> {
  const requests: FakeRequest[] = []
  const server = createServer((incoming, response) => {
    let text = ''
    incoming.on('data', (piece: Buffer) => (text += piece.toString()))
    incoming.on('end', () => {
      const request: FakeRequest = { path: incoming.url ?? '', body: text === '' ? {} : (JSON.parse(text) as Record<string, unknown>), authorization: incoming.headers.authorization }
      if (request.path === '/v1/models') {
        response.end(JSON.stringify({ object: 'list', data: models }))
        return
      }
      requests.push(request)
      const { status = 200, body } = answer(request) ?? { status: 404, body: '404 page not found' }
      response.writeHead(status)
      response.end(body)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => new Promise((resolve) => server.close(resolve)))
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, requests }
}

/** Events of a stream, `[DONE]` included. */
export function eventStream(...events: readonly object[]): FakeAnswer {
  return { body: [...events.map((event) => JSON.stringify(event)), '[DONE]'].map((data) => `data: ${data}\n\n`).join('') }
}

export function chatChunk(content: string | null, more: { readonly ids?: readonly number[]; readonly finish?: string; readonly promptIds?: readonly number[] } = {}): object {
  return {
    object: 'chat.completion.chunk',
    choices: [{ index: 0, delta: { role: 'assistant', content }, finish_reason: more.finish ?? null, ...(more.ids === undefined ? {} : { token_ids: more.ids }) }],
    ...(more.promptIds === undefined ? {} : { prompt_token_ids: more.promptIds }),
  }
}
