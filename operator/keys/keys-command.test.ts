import { spawn } from 'node:child_process'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { readApiKey } from '../../protocol/api-key.ts'
import { createLogger } from '../../platform/logging/logger.ts'
import { hashOfSecret } from '../../storage/api-key-secret.ts'
import type { CredentialStore } from '../../storage/credential-store.ts'
import { newDatabase, startStorage } from '../../storage/testing/postgres-shards.ts'
import { startPostgres } from '../../tests/harness/postgres.ts'
import { readKeysCommand } from './command-line.ts'
import { runKeys } from './keys-command.ts'

const logger = createLogger({ level: 'silent', name: 'test' })
t.teardown(() => logger.close())

let credentials: CredentialStore
let now = Date.now()
t.before(async () => {
  const postgres = await startPostgres(t)
  credentials = (await startStorage(t, [await newDatabase(postgres)], { logger })).credentials
})

async function run(...args: string[]) {
  let [out, err] = ['', '']
  const command = readKeysCommand(args)
  if (command.type === 'help') throw new Error('help')
  const exit = await runKeys(command, { credentials, now: () => now, print: (each) => (out += each), complain: (each) => (err += each) })
  return { exit, out, err }
}

interface Printed {
  readonly id: string
  readonly key?: string
  readonly [field: string]: unknown
}

async function json(...args: string[]): Promise<Printed[]> {
  return (await run(...args, '--json')).out.split('\n').filter((line) => line !== '').map((line) => JSON.parse(line) as Printed)
}

t.test('a key is printed once, and only its hash is kept', async (t) => {
  const { out, exit } = await run('create', '--name', 'CI', '--user', 'anna', '--expires', '90d')
  t.equal(exit, 0)
  const parts = readApiKey(out.trim().split('\n').at(-1) as string)
  t.ok(parts)
  t.match(out, /of user anna, with conversations:read, conversations:write, turns:write, models:read\./)
  const kept = await credentials.apiKey(parts?.id as string)
  t.same(kept?.secretHash, hashOfSecret(parts?.secret as string))
  t.ok(Math.abs((kept?.expiresAt as number) - now - 90 * 86_400_000) < 1000)
  for (const listed of [await run('list'), await run('list', '--json')]) {
    t.match(listed.out, parts?.id)
    t.notMatch(listed.out, parts?.secret.slice(0, 10))
  }
})

t.test('a key that acts for others, with permissions and a plan', async (t) => {
  const [key] = await json('create', '--name', 'backend', '--acts-for-others', '--permissions', 'turns:write, conversations:read', '--plan', 'gold')
  t.match(key, { name: 'backend', user_id: null, acts_for_others: true, permissions: ['conversations:read', 'turns:write'], plan: 'gold', expires_at: null, revoked_at: null, last_used_at: null })
  t.type(key?.key, 'string')
})

t.test('a rotated key has another secret, and the one before for a while', async (t) => {
  const [key] = await json('create', '--name', 'rotated', '--user', 'anna')
  const [rotated] = await json('rotate', key?.id as string, '--overlap', '30min')
  t.equal(rotated?.id, key?.id)
  t.not(rotated?.key, key?.key)
  t.ok(Math.abs(Date.parse(rotated?.['previous_secret_until'] as string) - Date.now() - 30 * 60_000) < 30_000)
  t.match((await run('list')).out, new RegExp(`${key?.id} .*holds, old secret (29|30) min more`))
})

t.test('revoked and expired keys are listed on demand only', async (t) => {
  const [revoked] = await json('create', '--name', 'revoked', '--user', 'anna')
  const [expired] = await json('create', '--name', 'expired', '--user', 'anna', '--expires', '1h')
  t.match(await run('revoke', revoked?.id as string), { exit: 0, out: /^Revoked key/ })
  now += 2 * 3_600_000
  const ids = (await json('list')).map(({ id }) => id)
  const all = await run('list', '--all')
  for (const [key, state] of [[revoked, 'revoked'], [expired, 'expired']] as const) {
    t.notOk(ids.includes(key?.id as string))
    t.match(all.out, new RegExp(`${key?.id} .* ${state} `))
  }
  t.match(await run('rotate', revoked?.id as string), { exit: 1, err: /There is no key/ })
  t.match(await run('revoke', 'aaaaaaaaaaaa'), { exit: 1, err: /There is no key aaaaaaaaaaaa/ })
})

t.test('what cannot be understood is said in words', (t) => {
  const refused: readonly [readonly string[], RegExp][] = [
    [[], /No command/],
    [['make'], /no command "make"/],
    [['create', '--user', 'anna'], /--name/],
    [['create', '--name', 'x'], /--user, or --acts-for-others/],
    [['create', '--name', 'x', '--user', ''], /--user takes/],
    [['create', '--name', 'x', '--user', 'a\0b'], /--user takes/],
    [['create', '--name', 'x', '--user', 'a', '--permissions', 'all'], /no permission "all"/],
    [['create', '--name', 'x', '--user', 'a', '--expires', 'soon'], /--expires takes a time/],
    [['create', '--name', 'x', '--user', 'a', '--plan', 'a b'], /--plan/],
    [['list', 'x'], /takes no id/],
    [['list', '--overlap', '1h'], /list takes no --overlap/],
    [['rotate'], /takes one id/],
    [['revoke', `cb_aaaaaaaaaaaa_${'0'.repeat(64)}`], /no id of a key/],
    [['revoke', 'aaaaaaaaaaaa', '--force'], /--force/],
  ]
  for (const [args, words] of refused) t.throws(() => readKeysCommand(args), { name: 'UsageFault', message: words }, args.join(' '))
  t.same(readKeysCommand(['create', '--help']), { type: 'help' })
  t.end()
})

t.test('the program works on the data folder of a server that does not run', async (t) => {
  const folder = t.testdir()
  const program = async (...args: string[]) => {
    const child = spawn(process.execPath, [fileURLToPath(new URL('main.js', import.meta.url)), ...args, '--json'], { env: { CHATTERBOT_DATA_DIR: folder } })
    const [out, err, code] = await Promise.all([text(child.stdout), text(child.stderr), new Promise<number | null>((resolve) => child.once('close', resolve))])
    return { out, err, code }
  }
  const created = await program('create', '--name', 'first', '--user', 'anna')
  t.match(created, { code: 0, err: '' })
  t.match(JSON.parse((await program('list')).out), { id: (JSON.parse(created.out) as Printed).id, name: 'first' })
})
