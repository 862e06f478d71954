import t from 'tap'
import type { ServedModel } from '../../protocol/bus/models.ts'
import { ChatError } from '../../protocol/errors.ts'
import { startTestEdge } from '../testing/test-edge.ts'

const served: readonly ServedModel[] = [{ id: 'small', max_tokens: 2048 }, { id: 'org/large', max_tokens: null }]
const small = { id: 'small', object: 'model', created: 0, owned_by: 'chatterbot', max_model_len: 2048 }

t.test('models are listed and looked up as OpenAI has it, and what is not there is told in its form', async (t) => {
  const { edge } = await startTestEdge(t, { models: { models: () => Promise.resolve(served) } })
  const ask = async (path: string, method = 'GET') => {
    const response = await fetch(`http://127.0.0.1:${edge.port}${path}`, { method })
    return { status: response.status, retry: response.headers.get('x-should-retry'), body: await response.json() }
  }
  t.match(await ask('/v1/models'), { status: 200, body: { object: 'list', data: [small, { id: 'org/large', max_model_len: null }] } })
  t.same((await ask('/v1/models/small')).body, small)
  t.match((await ask('/v1/models/org%2Flarge')).body, { id: 'org/large' })
  t.match((await ask('/v1/models/default')).body, { id: 'small' })
  t.same(await ask('/v1/models/gpt-4'), { status: 404, retry: 'false', body: { error: { message: 'The model `gpt-4` does not exist.', type: 'invalid_request_error', param: 'model', code: 'model_not_found' } } })
  t.match(await ask(`/v1/models/${'x'.repeat(200)}`), { status: 400, body: { error: { type: 'invalid_request_error', param: 'model', code: 'invalid_field' } } })
  for (const method of ['GET', 'POST']) t.match(await ask('/v1/embeddings', method), { status: 404, body: { error: { type: 'invalid_request_error', code: 'not_found' } } })
  t.match(await ask('/v1/models', 'POST'), { status: 405, body: { error: { code: 'method_not_allowed' } } })
})

t.test('without a bridge that tells, the client is told to try again', async (t) => {
  const { edge } = await startTestEdge(t, { models: { models: () => Promise.reject(new ChatError('engine_unavailable', undefined, { retryAfterMs: 1500 })) } })
  const response = await fetch(`http://127.0.0.1:${edge.port}/v1/models`)
  t.equal(response.status, 503)
  t.match(Object.fromEntries(response.headers), { 'x-should-retry': 'true', 'retry-after': '2', 'retry-after-ms': '1500' })
  t.match(await response.json(), { error: { type: 'server_error', code: 'engine_unavailable', param: null } })
})
