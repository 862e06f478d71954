/** What holds of every CredentialStore. */
import { randomBytes } from 'node:crypto'
import type { Test } from 'tap'
import { bucketOfUser } from '../../protocol/ids.ts'
import { hashOfSecret, newApiKeyId, newApiKeySecret } from '../api-key-secret.ts'
import type { CredentialStore, NewApiKey } from '../credential-store.ts'

function newKey(changes: Partial<NewApiKey> = {}): NewApiKey {
  return {
    id: newApiKeyId(),
    name: 'a key',
    userId: 'anna',
    actsForOthers: false,
    permissions: ['turns:write', 'conversations:read'],
    plan: 'default',
    expiresAt: null,
    secretHash: hashOfSecret(newApiKeySecret()),
    ...changes,
  }
}

export function credentialSuite(t: Test, open: () => Promise<CredentialStore>): void {
  let store: CredentialStore
  t.before(async () => {
    store = await open()
  })

  t.test('a key is kept as it was made, and one that nobody made is not there', async (t) => {
    const key = newKey({ userId: null, actsForOthers: true, expiresAt: Date.now() + 60_000, name: 'Schlüssel 🔑' })
    const created = await store.createApiKey(key)
    t.match(created, { ...key, secretHash: Buffer.from(key.secretHash), revokedAt: null, lastUsedAt: null, previous: null })
    t.ok(Math.abs(created.createdAt - Date.now()) < 60_000)
    t.same(await store.apiKey(key.id), created)
    t.equal(await store.apiKey(newApiKeyId()), null)
  })

  t.test('keys are listed page by page, the newest first', async (t) => {
    for (let n = 0; n < 5; n += 1) await store.createApiKey(newKey({ name: `listed ${n}` }))
    const all = await store.listApiKeys({ before: null, limit: 1000 })
    const paged = []
    for (let before = null; ; before = paged.at(-1) ?? null) {
      const page = await store.listApiKeys({ before, limit: 2 })
      if (page.length === 0) break
      paged.push(...page)
    }
    t.same(paged, all)
    t.ok(all.every((key, n) => n === 0 || key.createdAt <= (all[n - 1]?.createdAt as number)))
  })

  t.test('a rotated key has a new secret, and the old one for a while; a third ends the first', async (t) => {
    const key = newKey()
    await store.createApiKey(key)
    const [second, third] = [hashOfSecret('second'), hashOfSecret('third')]
    const rotated = await store.rotateApiKey(key.id, second, 60_000)
    t.same(rotated?.secretHash, second)
    t.same(rotated?.previous?.hash, Buffer.from(key.secretHash))
    t.ok(Math.abs((rotated?.previous?.until as number) - Date.now() - 60_000) < 30_000)
    t.same((await store.rotateApiKey(key.id, third, 0))?.previous?.hash, second)
    t.equal(await store.rotateApiKey(newApiKeyId(), third, 0), null)
  })

  t.test('a revoked key stays revoked, and is not rotated', async (t) => {
    const [revoked, expired, holding] = [newKey(), newKey({ expiresAt: Date.now() - 1000 }), newKey({ expiresAt: Date.now() + 60_000 })]
    for (const key of [revoked, expired, holding]) await store.createApiKey(key)
    const { revokedAt } = (await store.revokeApiKey(revoked.id)) ?? {}
    t.type(revokedAt, 'number')
    t.equal((await store.revokeApiKey(revoked.id))?.revokedAt, revokedAt)
    t.equal(await store.rotateApiKey(revoked.id, hashOfSecret('x'), 0), null)
    t.equal(await store.revokeApiKey(newApiKeyId()), null)
    t.same(await store.holdingApiKeys([revoked.id, expired.id, holding.id, newApiKeyId()]), new Set([holding.id]))
  })

  t.test('times of use only rise, and unknown keys are no fault', async (t) => {
    const key = newKey()
    await store.createApiKey(key)
    await store.noteUse(new Map([[key.id, 2_000_000_000_000], [newApiKeyId(), 1]]))
    await store.noteUse(new Map([[key.id, 1_000_000_000_000]]))
    t.equal((await store.apiKey(key.id))?.lastUsedAt, 2_000_000_000_000)
  })

  t.test('a ticket is taken once, by one of all who ask at once, and not where another user\'s bucket is asked', async (t) => {
    const holder = { user_id: 'ben', plan: 'gold' }
    const hash = randomBytes(32)
    const bucket = bucketOfUser('ben')
    await store.keepTicket('ben', hash, holder, 30_000)
    t.equal(await store.takeTicket(bucket, randomBytes(32)), null)
    const taken = await Promise.all(Array.from({ length: 8 }, () => store.takeTicket(bucket, hash)))
    t.same(taken.filter((each) => each !== null), [holder])
    t.equal(await store.takeTicket(bucket, hash), null)
  })

  t.test('a ticket that has expired opens nothing, and goes with those that come later', async (t) => {
    const hash = randomBytes(32)
    await store.keepTicket('ben', hash, {}, 0)
    t.equal(await store.takeTicket(bucketOfUser('ben'), hash), null)
    for (let n = 0; n < 3; n += 1) await store.keepTicket('ben', randomBytes(32), {}, -1000)
    await store.keepTicket('ben', randomBytes(32), {}, 30_000)
  })

  t.test('a secret is the same for all who ask, and another under another name', async (t) => {
    const name = `secret ${newApiKeyId()}`
    const secrets = await Promise.all(Array.from({ length: 8 }, () => store.secret(name)))
    t.equal(new Set(secrets.map((secret) => Buffer.from(secret).toString('hex'))).size, 1)
    t.equal(secrets[0]?.length, 32)
    t.notSame(await store.secret(`${name} too`), secrets[0])
  })
}
