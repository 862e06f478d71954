import t from 'tap'
import { ChatError } from '../../protocol/errors.ts'
import { createLogger } from '../../platform/logging/logger.ts'
import { startPostgres, type PostgresServer } from '../../tests/harness/postgres.ts'
import { credentialSuite } from '../testing/credential-suite.ts'
import { connectTo, newDatabase, startStorage } from '../testing/postgres-shards.ts'
import { newApiKeyId } from '../api-key-secret.ts'

const logger = createLogger({ level: 'silent', name: 'test' })
t.teardown(() => logger.close())

let postgres: PostgresServer
let urls: string[] = []
t.before(async () => {
  postgres = await startPostgres(t)
  urls = [await newDatabase(postgres), await newDatabase(postgres)]
})

credentialSuite(t, async () => (await startStorage(t, urls, { logger })).credentials)

t.test('expired tickets do not pile up', async (t) => {
  const url = await newDatabase(postgres)
  const { credentials } = await startStorage(t, [url], { logger })
  const hash = (n: number): Buffer => Buffer.alloc(32, n)
  for (let n = 0; n < 10; n += 1) await credentials.keepTicket('anna', hash(n), {}, -1000)
  const client = await connectTo(t, url)
  t.same((await client.query('SELECT count(*)::integer AS tickets FROM tickets')).rows, [{ tickets: 1 }])
})

t.test('a database that is away is told as unavailable, and no hash or name is in the error', async (t) => {
  const other = await startPostgres(t)
  const { credentials } = await startStorage(t, [await newDatabase(other)], { logger })
  await other.stop()
  for (const call of [() => credentials.apiKey(newApiKeyId()), () => credentials.takeTicket(1, Buffer.alloc(32)), () => credentials.secret('x')]) {
    const error = await call().then(() => null, (reason: unknown) => reason)
    t.ok(error instanceof ChatError)
    t.equal((error as ChatError).code, 'unavailable')
  }
})
