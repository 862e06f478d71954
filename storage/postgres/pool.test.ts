import t from 'tap'
import { createLogger } from '../../platform/logging/logger.ts'
import { startPostgres } from '../../tests/harness/postgres.ts'
import { createPool } from './pool.ts'

t.test('statements are planned once and not compiled, whatever the server is set to', async (t) => {
  const server = await startPostgres(t, { jit: 'on', plan_cache_mode: 'auto' })
  const pool = createPool({ url: server.url(), max: 1, applicationName: 'test', logger: createLogger({ level: 'silent', name: 'test' }), embedded: false })
  const setting = async (name: string): Promise<unknown> => (await pool.query<Record<string, string>>(`SHOW ${name}`)).rows[0]?.[name]
  t.equal(await setting('jit'), 'off')
  t.equal(await setting('plan_cache_mode'), 'force_generic_plan')
  await pool.close()
})
