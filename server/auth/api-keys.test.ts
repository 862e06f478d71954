import t from 'tap'
import { writeApiKey } from '../../protocol/api-key.ts'
import { createLogger } from '../../platform/logging/logger.ts'
import { MemoryLimits } from '../../platform/limits/memory/memory-limits.ts'
import { hashOfSecret, newApiKeyId, newApiKeySecret } from '../../storage/api-key-secret.ts'
import type { NewApiKey } from '../../storage/credential-store.ts'
import { credentialSuite } from '../../storage/testing/credential-suite.ts'
import { MemoryCredentials } from '../../storage/testing/memory-credentials.ts'
import { ApiKeys } from './api-keys.ts'
import { Authentication } from './authentication.ts'
import { FailedAttempts } from './failed-attempts.ts'
import { movingClock } from './testing/moving-clock.ts'
import { Tickets } from './tickets.ts'

const logger = createLogger({ level: 'silent', name: 'test' })
t.teardown(() => logger.close())

const failuresAllowed = 3

function newWorld() {
  const clock = movingClock()
  const store = new MemoryCredentials(() => clock.now())
  const apiKeys = new ApiKeys({ store, clock, logger })
  const tickets = new Tickets({ store, clock })
  // The limiter's own window follows the real clock: tests take no minute.
  const limit = new MemoryLimits({ monotonic: clock.monotonic }).limit({ name: 'failures', points: failuresAllowed, perSeconds: 60 })
  const authentication = new Authentication({ apiKeys, tokens: null, tickets, failedAttempts: new FailedAttempts(limit, () => clock.monotonic()) })
  const newKey = async (changes: Partial<NewApiKey> = {}) => {
    const secret = newApiKeySecret()
    const key = await store.createApiKey({ id: newApiKeyId(), name: 'test', userId: 'anna', actsForOthers: false, permissions: ['turns:write'], plan: 'gold', expiresAt: null, secretHash: hashOfSecret(secret), ...changes })
    return { id: key.id, secret, token: writeApiKey({ id: key.id, secret }) }
  }
  const who = (token: string | undefined, address = 'a', ticket?: string) => authentication.authenticate({ token, ticket, address })
  return { clock, store, apiKeys, tickets, authentication, newKey, who }
}

t.test('the store in memory is one', (t) => {
  credentialSuite(t, async () => new MemoryCredentials())
  t.end()
})

t.test('a key is its user\'s, with what it allows', async (t) => {
  const { newKey, who, clock } = newWorld()
  const plain = await newKey({ permissions: ['turns:write', 'no:such:permission', 'conversations:read'] })
  t.same(await who(plain.token), { userId: 'anna', actsForOthers: false, permissions: new Set(['conversations:read', 'turns:write']), plan: 'gold', keyId: plain.id, expiresAt: null })
  const expiresAt = clock.now() + 1000
  const other = await newKey({ userId: null, actsForOthers: true, expiresAt })
  t.match(await who(other.token), { userId: null, actsForOthers: true, expiresAt })
  clock.pass(1000)
  await t.rejects(who(other.token), { code: 'unauthenticated' })
})

t.test('an unknown key, a wrong secret and what is no key are refused in the same words', async (t) => {
  const { newKey, who } = newWorld()
  const { id, token } = await newKey()
  const wrong = [writeApiKey({ id, secret: newApiKeySecret() }), writeApiKey({ id: newApiKeyId(), secret: newApiKeySecret() }), `${token}0`, 'cb_', token.toUpperCase(), 'eyJh.b.c', '', '\0']
  const words = new Set<string>()
  for (const [n, each] of wrong.entries()) {
    const error = await who(each, `address ${n}`).then(() => null, (reason: Error) => reason)
    t.match(error, { code: 'unauthenticated' }, each)
    words.add((error as Error).message)
  }
  await t.rejects(who(undefined), { code: 'unauthenticated' })
  t.equal(words.size, 1)
})

t.test('a key that was looked up costs no query for 5 s, and then a revocation holds', async (t) => {
  const { newKey, who, store, clock } = newWorld()
  const { id, token } = await newKey()
  await Promise.all(Array.from({ length: 50 }, () => who(token)))
  t.equal(store.lookUps, 1)
  await store.revokeApiKey(id)
  clock.pass(4_999)
  await who(token)
  t.equal(store.lookUps, 1)
  clock.pass(2)
  await t.rejects(who(token), { code: 'unauthenticated' })
  t.equal(store.lookUps, 2)
})

t.test('made-up keys do not push known ones out, and cost one query each 2 s at most', async (t) => {
  const { newKey, apiKeys, store, clock } = newWorld()
  const { token } = await newKey()
  await apiKeys.identify(token)
  for (let n = 0; n < 12_000; n += 1) t.equal(await apiKeys.identify(writeApiKey({ id: n.toString(36).padStart(12, '0'), secret: '0'.repeat(64) })), null)
  const lookUps = store.lookUps
  t.ok(apiKeys.remembered(token))
  const last = writeApiKey({ id: (11_999).toString(36).padStart(12, '0'), secret: '0'.repeat(64) })
  await apiKeys.identify(last)
  t.equal(store.lookUps, lookUps)
  clock.pass(2_001)
  await apiKeys.identify(last)
  t.equal(store.lookUps, lookUps + 1)
})

t.test('the secret of before a rotation holds until the overlap ends, and says so', async (t) => {
  const { newKey, who, store, clock } = newWorld()
  const { id, token } = await newKey()
  const next = newApiKeySecret()
  await store.rotateApiKey(id, hashOfSecret(next), 60_000)
  const until = clock.now() + 60_000
  t.match(await who(token), { keyId: id, expiresAt: until })
  t.match(await who(writeApiKey({ id, secret: next })), { keyId: id, expiresAt: null })
  clock.pass(60_000)
  await t.rejects(who(token), { code: 'unauthenticated' })
  t.match(await who(writeApiKey({ id, secret: next })), { keyId: id })
})

t.test('an address that guesses has to wait, while those at work go on; nobody else does', async (t) => {
  const { newKey, who, store, clock } = newWorld()
  const [atWork, newcomer] = [await newKey(), await newKey()]
  await who(atWork.token)
  const guess = () => who(writeApiKey({ id: newApiKeyId(), secret: newApiKeySecret() }))
  for (let n = 0; n <= failuresAllowed; n += 1) await t.rejects(guess(), { code: 'unauthenticated' })
  const before = store.lookUps
  const error = await guess().then(() => null, (reason: unknown) => reason)
  t.match(error, { code: 'rate_limited' })
  t.ok((error as { retryAfterMs: number }).retryAfterMs > 50_000)
  await t.rejects(who(newcomer.token), { code: 'rate_limited' })
  await t.rejects(who(undefined, 'a', 'wt_1_x'), { code: 'rate_limited' })
  t.equal(store.lookUps, before, 'nothing is looked up for it')
  t.match(await who(atWork.token), { keyId: atWork.id })
  t.match(await who(newcomer.token, 'another address'), { keyId: newcomer.id })
  clock.pass(60_000)
  t.match(await who(newcomer.token), { keyId: newcomer.id })
})

t.test('who shows nothing does not count as guessing', async (t) => {
  const { newKey, who } = newWorld()
  const { token } = await newKey()
  for (let n = 0; n < 2 * failuresAllowed; n += 1) await t.rejects(who(undefined), { code: 'unauthenticated' })
  t.ok(await who(token))
})

t.test('a store that is away is told as such, and counts for nobody\'s guesses', async (t) => {
  const { newKey, who, store } = newWorld()
  const { token } = await newKey()
  store.isAway = true
  for (let n = 0; n < 2 * failuresAllowed; n += 1) await t.rejects(who(token), { code: 'unavailable' })
  store.isAway = false
  t.ok(await who(token))
})

t.test('the last use is written in one go, at the end too, and again where that failed', async (t) => {
  const { newKey, who, store, clock, authentication } = newWorld()
  const [one, two] = [await newKey(), await newKey()]
  await who(one.token)
  clock.pass(10)
  await who(two.token)
  t.equal((await store.apiKey(one.id))?.lastUsedAt, null)
  store.isAway = true
  const first = new ApiKeys({ store, clock, logger })
  await first.stop()
  store.isAway = false
  await authentication.stop()
  t.match(await store.apiKey(one.id), { lastUsedAt: clock.now() - 10 })
  t.match(await store.apiKey(two.id), { lastUsedAt: clock.now() })
})
