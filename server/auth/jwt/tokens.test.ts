import { createHmac, createPublicKey, generateKeyPairSync, sign as signBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { mock } from 'node:test'
import t, { type Test } from 'tap'
import { readConfig } from '../../../platform/config/config.ts'
import { createLogger } from '../../../platform/logging/logger.ts'
import { movingClock } from '../testing/moving-clock.ts'
import { jwtSettings } from './settings.ts'
import { newProviderKey, startIdentityProvider } from './testing/identity-provider.ts'
import { Tokens } from './tokens.ts'

const logger = createLogger({ level: 'silent', name: 'test' })
t.teardown(() => logger.close())

const named = { CHATTERBOT_AUTH: 'jwt', CHATTERBOT_JWT_ISSUER: 'https://id.example', CHATTERBOT_JWT_AUDIENCE: 'chat' }
const settingsOf = (environment: Record<string, string>) => jwtSettings(readConfig({ ...named, ...environment }))

/** A provider with one key of each kind, and what takes its tokens. */
async function newWorld(t: Test, environment: Record<string, string> = {}) {
  const clock = movingClock()
  const provider = await startIdentityProvider(t)
  const keys = { rsa: await newProviderKey('rsa-1', 'RS256'), ec: await newProviderKey('ec-1', 'ES256') }
  provider.serve(keys.rsa, keys.ec)
  const tokens = new Tokens({ settings: settingsOf({ CHATTERBOT_JWT_JWKS_URL: provider.url.href, ...environment }), clock, logger })
  const seconds = () => Math.floor(clock.now() / 1000)
  const claims = (changes: Record<string, unknown> = {}) => ({ iss: 'https://id.example', aud: 'chat', sub: 'anna', exp: seconds() + 600, ...changes })
  return { clock, provider, keys, tokens, claims, seconds }
}

const encoded = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url')

t.test('a token of the provider is its user, with plan and roles', async (t) => {
  const { keys, tokens, claims, seconds } = await newWorld(t)
  for (const key of [keys.rsa, keys.ec]) {
    t.same(await tokens.identify(await key.sign(claims())), {
      userId: 'anna',
      actsForOthers: false,
      permissions: new Set(['conversations:read', 'conversations:write', 'turns:write', 'models:read']),
      plan: 'default',
      keyId: null,
      expiresAt: (seconds() + 630) * 1000,
    })
  }
  const who = async (changes: Record<string, unknown>) => tokens.identify(await keys.ec.sign(claims(changes)))
  t.match(await who({ plan: 'gold', aud: ['other', 'chat'] }), { plan: 'gold' })
  t.match(await who({ plan: 'no plan!' }), { plan: 'default' })
  t.equal((await who({ roles: ['stranger'] }))?.permissions.size, 0)
  t.equal((await who({ roles: ['stranger', 'operator', 7] }))?.permissions.has('operations:read'), true)
  t.equal((await who({ roles: 'user other' }))?.permissions.has('turns:write'), true)
})

t.test('claims are named by the configuration, within others too, and so are roles', async (t) => {
  const { keys, tokens, claims } = await newWorld(t, {
    CHATTERBOT_JWT_USER_CLAIM: 'email',
    CHATTERBOT_JWT_PLAN_CLAIM: 'https://chat.example/plan',
    CHATTERBOT_JWT_ROLES_CLAIM: 'realm_access.roles',
    CHATTERBOT_JWT_ROLES: 'reader=conversations:read; backend = *, acts-for-others;',
  })
  const token = await keys.rsa.sign(claims({ email: 'anna@example.org', 'https://chat.example/plan': 'pro', realm_access: { roles: ['reader'] } }))
  t.match(await tokens.identify(token), { userId: 'anna@example.org', plan: 'pro', actsForOthers: false, permissions: new Set(['conversations:read']) })
  t.match(await tokens.identify(await keys.rsa.sign(claims({ email: 'b', realm_access: { roles: ['backend'] } }))), { actsForOthers: true })
  t.equal((await tokens.identify(await keys.rsa.sign(claims({ email: 'b' }))))?.permissions.size, 0, 'the role user is not there')
})

t.test('what is not for us, not valid now or not usable is refused', async (t) => {
  const { keys, tokens, claims, seconds } = await newWorld(t)
  const refused: readonly (readonly [string, Record<string, unknown>])[] = [
    ['another issuer', { iss: 'https://evil.example' }],
    ['no issuer', { iss: undefined }],
    ['another audience', { aud: 'other' }],
    ['no audience', { aud: undefined }],
    ['expired beyond the skew', { exp: seconds() - 31 }],
    ['no expiry', { exp: undefined }],
    ['an expiry that is no number', { exp: '9999999999' }],
    ['not yet valid, beyond the skew', { nbf: seconds() + 31 }],
    ['no user', { sub: undefined }],
    ['a user that is no text', { sub: 7 }],
    ['an empty user', { sub: '' }],
    ['a user that cannot be stored', { sub: 'a\0b' }],
    ['a user that is too long', { sub: 'x'.repeat(129) }],
  ]
  for (const [name, changes] of refused) t.equal(await tokens.identify(await keys.rsa.sign(claims(changes) as never)), null, name)
  for (const changes of [{ exp: seconds() - 29 }, { nbf: seconds() + 29 }]) t.ok(await tokens.identify(await keys.rsa.sign(claims(changes))), 'within the skew')
})

t.test('hostile tokens are refused', async (t) => {
  const { keys, tokens, claims } = await newWorld(t)
  const good = await keys.rsa.sign(claims())
  const [header, payload, signature] = good.split('.') as [string, string, string]
  const pem = createPublicKey({ key: keys.rsa.jwk as never, format: 'jwk' }).export({ type: 'spki', format: 'pem' }) as string
  const unsigned = (alg: string) => `${encoded({ alg, kid: 'rsa-1' })}.${encoded(claims())}.`
  const confused = (secret: string): string => {
    const body = `${encoded({ alg: 'HS256', kid: 'rsa-1' })}.${encoded(claims())}`
    return `${body}.${createHmac('sha256', secret).update(body).digest('base64url')}`
  }
  const strange = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const own = (extra: Record<string, unknown>): string => {
    const body = `${encoded({ alg: 'RS256', ...extra })}.${encoded(claims())}`
    return `${body}.${signBytes('sha256', Buffer.from(body), strange.privateKey).toString('base64url')}`
  }
  const hostile: readonly (readonly [string, string])[] = [
    ['no algorithm', unsigned('none')],
    ['no algorithm, written otherwise', unsigned('NonE')],
    ['the public key as a secret', confused(pem)],
    ['the modulus as a secret', confused(keys.rsa.jwk.n as string)],
    ['another\'s signature', own({ kid: 'rsa-1' })],
    ['a key that it brings along', own({ jwk: strange.publicKey.export({ format: 'jwk' }) })],
    ['a key that lies elsewhere', own({ jku: 'http://127.0.0.1:1/keys', kid: 'x' })],
    ['the other key\'s algorithm', await keys.rsa.sign(claims(), { kid: 'ec-1' })],
    ['an extension that must be understood', own({ kid: 'rsa-1', crit: ['x'], x: 1 })],
    ['other claims', `${header}.${encoded(claims({ sub: 'ben' }))}.${signature}`],
    ['another header', `${encoded({ alg: 'ES256', kid: 'ec-1' })}.${payload}.${signature}`],
    ['half a signature', `${header}.${payload}.${signature.slice(0, 100)}`],
    ['no signature', `${header}.${payload}.`],
    ['two parts', `${header}.${payload}`],
    ['five parts', `${good}.a.b`],
    ['a header that is no JSON', `bm90IGpzb24.${payload}.${signature}`],
    ['a deep header', `${Buffer.from('['.repeat(5000)).toString('base64url')}.${payload}.${signature}`],
    ['nothing', ''],
    ['dots', '..'],
    ['a letter', 'x'],
  ]
  for (const [name, token] of hostile) t.equal(await tokens.identify(token), null, name)
  t.match(await tokens.identify(good), { userId: 'anna' })
})

t.test('a token that was accepted is remembered for a moment, and not beyond its expiry', async (t) => {
  const { keys, tokens, claims, clock, seconds } = await newWorld(t)
  const token = await keys.rsa.sign(claims({ exp: seconds() + 10 }))
  t.equal(tokens.remembered(token), null)
  await tokens.identify(token)
  t.match(tokens.remembered(token), { userId: 'anna' })
  t.equal(tokens.remembered(`${token}x`), null)
  clock.pass(30_001)
  t.equal(tokens.remembered(token), null)
  const short = await keys.rsa.sign(claims({ exp: seconds() - 20 }))
  t.ok(await tokens.identify(short))
  clock.pass(10_000)
  t.equal(tokens.remembered(short), null)
})

t.test('a rotation is seen with the first token of the new key, and unknown key ids cost the provider a fetch in 30 s', async (t) => {
  // The library reads the time by itself.
  mock.timers.enable({ apis: ['Date'], now: Date.now() })
  t.teardown(() => mock.timers.reset())
  const { keys, provider, tokens, claims } = await newWorld(t)
  const next = await newProviderKey('rsa-2', 'RS256')
  const stranger = await newProviderKey('made-up', 'RS256')
  t.ok(await tokens.identify(await keys.rsa.sign(claims())))
  t.equal(provider.fetches(), 1)
  for (let n = 0; n < 20; n += 1) t.equal(await tokens.identify(await stranger.sign(claims())), null)
  t.equal(provider.fetches(), 1)
  provider.serve(keys.ec, next)
  mock.timers.tick(30_001)
  t.ok(await tokens.identify(await next.sign(claims())), 'the new key')
  t.equal(provider.fetches(), 2)
  t.equal(await tokens.identify(await keys.rsa.sign(claims({ jti: 'new' }))), null, 'the withdrawn key')
  t.equal(provider.fetches(), 2)
})

t.test('a provider that is away is no fault of the token, is asked every 10 s, and what it said goes on', async (t) => {
  mock.timers.enable({ apis: ['Date'], now: Date.now() })
  t.teardown(() => mock.timers.reset())
  const { keys, provider, tokens, claims, clock } = await newWorld(t)
  const fresh = async () => tokens.identify(await keys.rsa.sign(claims({ jti: String(Math.random()) })))
  for (const [status, body] of [[500, 'oops'], [200, 'no json'], [200, '{"keys":7}'], [302, '']] as const) {
    provider.answer(status, body)
    await t.rejects(fresh(), { code: 'unavailable' }, `${status} ${body}`)
    await t.rejects(fresh(), { code: 'unavailable' })
    clock.pass(10_000)
  }
  t.equal(provider.fetches(), 4)
  provider.serve(keys.rsa)
  t.ok(await fresh())
  provider.answer(503, '')
  mock.timers.tick(600_001)
  clock.pass(600_001)
  t.ok(await fresh(), 'with the keys of before')
  t.equal(await tokens.identify(await keys.ec.sign(claims())), null)
  clock.pass(86_400_000)
  await t.rejects(fresh(), { code: 'unavailable' })
})

t.test('a shared secret, and a public key in a file', async (t) => {
  const clock = movingClock()
  const claims = { iss: 'https://id.example', aud: 'chat', sub: 'anna', exp: Math.floor(clock.now() / 1000) + 60 }
  const secret = 'x'.repeat(32)
  const body = `${encoded({ alg: 'HS256', typ: 'JWT' })}.${encoded(claims)}`
  const shared = new Tokens({ settings: settingsOf({ CHATTERBOT_JWT_SECRET: secret }), clock, logger })
  t.match(await shared.identify(`${body}.${createHmac('sha256', secret).update(body).digest('base64url')}`), { userId: 'anna' })
  t.equal(await shared.identify(`${body}.${createHmac('sha256', `${secret}y`).update(body).digest('base64url')}`), null)

  const file = path.join(t.testdir(), 'key.pem')
  const key = await newProviderKey('any', 'ES256')
  writeFileSync(file, createPublicKey({ key: key.jwk as never, format: 'jwk' }).export({ type: 'spki', format: 'pem' }))
  const tokens = new Tokens({ settings: settingsOf({ CHATTERBOT_JWT_PUBLIC_KEY_FILE: file }), clock, logger })
  t.match(await tokens.identify(await key.sign(claims)), { userId: 'anna' })
  t.equal(await tokens.identify(await (await newProviderKey('any', 'RS256')).sign(claims)), null)
  t.equal(await tokens.identify(`${body}.${createHmac('sha256', secret).update(body).digest('base64url')}`), null)
})

t.test('settings that would let too many in, or do not go together, are refused with what to do', (t) => {
  const folder = t.testdir()
  const pem = (name: string, text: string): string => {
    writeFileSync(path.join(folder, name), text)
    return path.join(folder, name)
  }
  const small = generateKeyPairSync('rsa', { modulusLength: 1024 })
  const secret = { CHATTERBOT_JWT_SECRET: 'x'.repeat(32) }
  const refused: readonly (readonly [Record<string, string>, RegExp])[] = [
    [{}, /exactly one of/],
    [{ ...secret, CHATTERBOT_JWT_JWKS_URL: 'https://id.example/keys' }, /exactly one of/],
    [{ CHATTERBOT_JWT_SECRET: 'short' }, /shorter than 32 bytes/],
    [{ CHATTERBOT_JWT_JWKS_URL: 'http://id.example/keys' }, /not https/],
    [{ ...secret, CHATTERBOT_JWT_ALGORITHMS: 'RS256' }, /RS256/],
    [{ CHATTERBOT_JWT_JWKS_URL: 'https://id.example/keys', CHATTERBOT_JWT_ALGORITHMS: 'RS256,HS256' }, /HS256/],
    [{ ...secret, CHATTERBOT_JWT_ALGORITHMS: 'none' }, /none/],
    [{ ...secret, CHATTERBOT_JWT_ISSUER: '' }, /ISSUER and CHATTERBOT_JWT_AUDIENCE/],
    [{ ...secret, CHATTERBOT_JWT_AUDIENCE: '' }, /ISSUER and CHATTERBOT_JWT_AUDIENCE/],
    [{ ...secret, CHATTERBOT_JWT_ROLES: 'user=everything' }, /no permission "everything"/],
    [{ ...secret, CHATTERBOT_JWT_ROLES: 'user' }, /"user" is no role/],
    [{ CHATTERBOT_JWT_PUBLIC_KEY_FILE: path.join(folder, 'absent.pem') }, /cannot be read/],
    [{ CHATTERBOT_JWT_PUBLIC_KEY_FILE: pem('private.pem', small.privateKey.export({ type: 'pkcs8', format: 'pem' }) as string) }, /private key/],
    [{ CHATTERBOT_JWT_PUBLIC_KEY_FILE: pem('small.pem', small.publicKey.export({ type: 'spki', format: 'pem' }) as string) }, /another kind/],
  ]
  for (const [environment, words] of refused) t.throws(() => settingsOf(environment), { name: 'StartupFault', message: words, hint: /./ }, JSON.stringify(environment))
  t.end()
})
