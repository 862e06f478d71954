import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import pg from 'pg'
import t from 'tap'
import { launchChromium } from './chromium.ts'
import { freePort } from './ports.ts'
import { startPostgres } from './postgres.ts'
import { jsonLineWith, startProcess } from './processes.ts'

const node = process.execPath
const alive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

async function query(url: string, text: string): Promise<unknown[]> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    return (await client.query(text)).rows
  } finally {
    await client.end()
  }
}

t.test('Postgres serves databases of its own, and keeps committed rows through a SIGKILL and a restart', async (t) => {
  const server = await startPostgres(t, { max_connections: '17' })
  const url = await server.createDatabase('a "quoted" name')
  t.same(await query(url, 'show max_connections'), [{ max_connections: '17' }])
  t.same(await query(url, 'show server_encoding'), [{ server_encoding: 'UTF8' }])
  await query(url, 'create table kept (value text)')
  await query(url, "insert into kept values ('after a kill')")
  const before = server.pid
  await server.kill()
  t.notOk(alive(before))
  t.throws(() => server.pid)
  await t.rejects(query(url, 'select 1'), { code: 'ECONNREFUSED' })
  await server.restart()
  t.not(server.pid, before)
  t.same(await query(url, 'select value from kept'), [{ value: 'after a kill' }])
  await server.restart()
  t.same(await query(url, 'select value from kept'), [{ value: 'after a kill' }])
})

t.test('a process is ready when it says so, and ends with its test', async (t) => {
  let pid = 0
  await t.test('inner', async (t) => {
    const source = 'console.log("noise"); console.log(JSON.stringify({ port: 7, env: process.env.GIVEN })); setInterval(() => {}, 1000)'
    const child = await startProcess(t, { command: node, args: ['-e', source], env: { GIVEN: 'yes' }, ready: jsonLineWith('port') })
    pid = child.pid
    t.same(child.ready, { port: 7, env: 'yes' })
    t.match(child.output(), /noise/)
    t.ok(alive(pid))
  })
  t.notOk(alive(pid))
})

t.test('a process that refuses to stop is killed at the deadline', async (t) => {
  const source = 'process.on("SIGTERM", () => {}); console.log("{\\"up\\":1}"); setInterval(() => {}, 1000)'
  const child = await startProcess(t, { command: node, args: ['-e', source], ready: jsonLineWith('up') })
  t.same(await child.stop({ deadlineMs: 50 }), { code: null, signal: 'SIGKILL' })
})

t.test('a process that never gets ready is reported with what it said', async (t) => {
  const ready = (): undefined => undefined
  await t.rejects(startProcess(t, { command: node, args: ['-e', 'console.error("no such table"); process.exit(3)'], ready }), {
    message: /code 3 before it was ready\n[^]*no such table/
  })
  await t.rejects(startProcess(t, { command: node, args: ['-e', 'setInterval(() => {}, 1000)'], ready, readyWithinMs: 50 }), { message: /not ready after 50 ms/ })
  await t.rejects(startProcess(t, { command: '/nonexistent/program', ready }), { message: /ENOENT/ })
})

t.test('a SIGKILL of the test process leaves neither server nor data behind', async (t) => {
  const file = fileURLToPath(new URL('postgres.js', import.meta.url))
  const source = `
    import { startPostgres } from ${JSON.stringify(file)}
    const server = await startPostgres()
    const { default: pg } = await import('pg')
    const client = new pg.Client({ connectionString: server.url() })
    await client.connect()
    const { rows } = await client.query('show data_directory')
    console.log(JSON.stringify({ url: server.url(), folder: rows[0].data_directory }))
    setInterval(() => {}, 1000)`
  const tester = spawn(node, ['--input-type=module', '-e', source], { stdio: ['ignore', 'pipe', 'inherit'], cwd: new URL('../..', import.meta.url) })
  t.teardown(() => tester.kill('SIGKILL'))
  const [line] = (await once(createInterface({ input: tester.stdout }), 'line')) as [string]
  const { url, folder } = JSON.parse(line) as { url: string; folder: string }
  t.same(await query(url, 'select 1 as one'), [{ one: 1 }])
  tester.kill('SIGKILL')
  // The watchdog is no child of ours, so that its end cannot be awaited as an event.
  while (existsSync(folder)) await new Promise((resolve) => setTimeout(resolve, 20))
  await t.rejects(query(url, 'select 1'), { code: 'ECONNREFUSED' })
})

t.test('Chromium renders a page of a local server', async (t) => {
  const server = createServer((_, response) => response.setHeader('content-type', 'text/html').end('<h1>Hello</h1><script>document.title = "ran"</script>'))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => new Promise((resolve) => server.close(resolve)))
  const browser = await launchChromium(t)
  const page = await browser.newPage()
  await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`)
  t.equal(await page.title(), 'ran')
  t.equal(await page.textContent('h1'), 'Hello')
})

t.test('free ports differ from one another', async (t) => {
  const ports = await Promise.all(Array.from({ length: 20 }, freePort))
  t.equal(new Set(ports).size, 20)
})
