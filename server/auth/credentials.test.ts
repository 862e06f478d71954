import fc from 'fast-check'
import t from 'tap'
import { readApiKey, writeApiKey } from '../../protocol/api-key.ts'
import { newApiKeyId, newApiKeySecret } from '../../storage/api-key-secret.ts'
import { tokenOf } from './credentials.ts'

t.test('a token is what Bearer or X-API-Key show, and where they differ it is nobody\'s', async (t) => {
  const cases: readonly (readonly [authorization: string, apiKey: string, token: string | undefined])[] = [
    ['', '', undefined],
    ['Bearer abc', '', 'abc'],
    ['bearer   abc ', '', 'abc'],
    ['', ' abc ', 'abc'],
    ['Bearer abc', 'abc', 'abc'],
    ['Bearer abc', 'def', ''],
    ['Basic abc', '', undefined],
    ['Basic abc', 'def', 'def'],
    ['Bearer', '', undefined],
    ['Bearer a b', '', undefined],
    ['Bearer abc, Bearer def', '', undefined],
    ['Bearerabc', '', undefined],
    ['Bearer äbc', '', undefined],
  ]
  for (const [authorization, apiKey, token] of cases) t.equal(tokenOf({ authorization, apiKey }), token, `${authorization} | ${apiKey}`)
})

t.test('a key is read as it was written, and nothing else is a key', async () => {
  fc.assert(
    fc.property(fc.constant(null), () => {
      const parts = { id: newApiKeyId(), secret: newApiKeySecret() }
      const read = readApiKey(writeApiKey(parts))
      return read?.id === parts.id && read.secret === parts.secret
    }),
  )
  fc.assert(fc.property(fc.oneof(fc.string(), fc.string().map((text) => `cb_${text}`)), (text) => readApiKey(text) === null))
})
