import fc from 'fast-check'
import t from 'tap'
import Type from 'typebox'
import { ChatError } from '../errors.ts'
import { Text } from '../websocket/fields.ts'
import { createDecoder, RequestFault, type RawRequest } from './decode.ts'
import type { Operation } from './operation.ts'

const sample = {
  method: 'post',
  path: '/things/{id}',
  permission: 'any',
  summary: 'A sample',
  params: Type.Object({ id: Type.Integer({ minimum: 1, maximum: 100 }) }),
  query: Type.Object({ limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 10 })), deep: Type.Optional(Type.Boolean()), name: Type.Optional(Type.String({ maxLength: 8 })) }),
  headers: Type.Object({ 'x-key': Type.Optional(Type.String({ minLength: 1 })) }),
  body: Type.Object({ text: Text, tags: Type.Optional(Type.Array(Type.String(), { maxItems: 3 })) }),
  texts: ['text'],
  responses: {},
  errors: [],
} as const satisfies Operation

const decode = createDecoder(sample)

interface Raw {
  readonly id?: string
  readonly query?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Uint8Array
}

function request({ id = '7', query = '', headers = {}, body = '{"text":"hi"}' }: Raw): RawRequest {
  const all: Readonly<Record<string, string>> = { 'content-type': 'application/json', ...headers }
  return { params: { id }, query, header: (name) => all[name], body: typeof body === 'string' ? Buffer.from(body) : body }
}

function refused(raw: Raw): { readonly code: string; readonly fault: unknown } {
  try {
    decode(request(raw))
  } catch (error) {
    if (error instanceof RequestFault) return { code: error.code, fault: error.fault }
    throw error
  }
  return { code: 'none', fault: null }
}

t.test('each part comes in the type of its schema, with the fields that it names and no others', async (t) => {
  const body = '{"text":"hi","tags":["a"],"__proto__":{"x":1},"more":[[[]]]}'
  t.same(decode(request({ query: 'limit=3&deep=true&name=a%20b+c&other=1', headers: { 'x-key': 'k', cookie: 'c' }, body })), {
    params: { id: 7 },
    query: { limit: 3, deep: true, name: 'a b c' },
    headers: { 'x-key': 'k' },
    body: { text: 'hi', tags: ['a'] },
  })
})

t.test('a fault names its field, and text has its own errors', async (t) => {
  const cases: readonly (readonly [Raw, string, unknown])[] = [
    [{ id: '0' }, 'invalid_field', { in: 'path', name: 'id' }],
    [{ id: '1e1' }, 'invalid_field', { in: 'path', name: 'id' }],
    [{ id: '%zz' }, 'invalid_field', { in: 'path', name: 'id' }],
    [{ query: 'limit=01' }, 'invalid_field', { in: 'query', name: 'limit' }],
    [{ query: 'limit=' }, 'invalid_field', { in: 'query', name: 'limit' }],
    [{ query: 'limit' }, 'invalid_field', { in: 'query', name: 'limit' }],
    [{ query: 'limit=1&limit=2' }, 'invalid_field', { in: 'query', name: 'limit' }],
    [{ query: 'name=%FF' }, 'invalid_field', { in: 'query', name: 'name' }],
    [{ query: 'name=%00' }, 'invalid_field', { in: 'query', name: 'name' }],
    [{ query: 'deep=1' }, 'invalid_field', { in: 'query', name: 'deep' }],
    [{ headers: { 'x-key': '' } }, 'invalid_field', { in: 'header', name: 'x-key' }],
    [{ body: '{}' }, 'invalid_field', { in: 'body', pointer: '/text' }],
    [{ body: '[]' }, 'invalid_field', { in: 'body', pointer: '' }],
    [{ body: 'null' }, 'invalid_field', { in: 'body', pointer: '' }],
    [{ body: '{"text":"hi","tags":["a",1]}' }, 'invalid_field', { in: 'body', pointer: '/tags/1' }],
    [{ body: '{"text":"hi","tags":["\\ud800"]}' }, 'invalid_field', { in: 'body', pointer: '/tags/0' }],
    [{ body: '{"text":""}' }, 'text_empty', { in: 'body', pointer: '/text' }],
    [{ body: JSON.stringify({ text: 'é'.repeat(16_385) }) }, 'text_too_long', { in: 'body', pointer: '/text' }],
    [{ body: '{"text":"\\u0000"}' }, 'text_not_well_formed', { in: 'body', pointer: '/text' }],
    [{ body: '{"text":' }, 'bad_body', null],
    [{ body: '' }, 'bad_body', null],
    [{ body: Buffer.from([0x22, 0xff, 0x22]) }, 'bad_body', null],
    [{ body: '['.repeat(100_000) }, 'bad_body', null],
    [{ body: `${'['.repeat(1000)}${']'.repeat(1000)}` }, 'bad_body', null],
    [{ headers: { 'content-type': 'text/plain' } }, 'unsupported_media_type', null],
    [{ headers: { 'content-type': 'application/json; charset=latin1' } }, 'unsupported_media_type', null],
  ]
  for (const [raw, code, fault] of cases) t.match(refused(raw), { code, fault }, JSON.stringify(raw).slice(0, 80))
  t.equal(refused({ headers: { 'content-type': 'Application/JSON;charset=UTF-8' } }).code, 'none')
})

t.test('whatever the bytes are, a request is decoded or refused by an error of the catalogue', async () => {
  const text = fc.oneof(fc.string({ unit: 'binary', maxLength: 40 }), fc.constantFrom('limit=3', '%', '%%', '&&==', 'deep=true&deep=true'))
  fc.assert(
    fc.property(text, text, fc.oneof(fc.uint8Array({ maxLength: 60 }), fc.json({ maxDepth: 4 }).map((json) => Buffer.from(json))), (id, query, body) => {
      try {
        decode(request({ id, query, body }))
        return true
      } catch (error) {
        return error instanceof ChatError && error.code !== 'internal'
      }
    }),
    { numRuns: 2_000 },
  )
})
