import { spawn } from 'node:child_process'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import fc from 'fast-check'
import t, { type Test } from 'tap'
import { runProgram } from '../../tests/harness/processes.ts'
import { createLogger, type Logger, type LoggerOptions } from './logger.ts'
import { redactFields, redactString } from './redact.ts'
import { terminalLine } from './terminal-lines.ts'

/** What `write` logs. */
async function logged(t: Test, write: (logger: Logger) => void, options: Partial<LoggerOptions> = {}): Promise<string> {
  const file = join(t.testdir(), 'log')
  const fd = openSync(file, 'w')
  const logger = createLogger({ level: 'info', name: 'test', fd, ...options })
  write(logger)
  await logger.close()
  closeSync(fd)
  return readFileSync(file, 'utf8')
}

t.test('an event is a line of JSON with its level, time, process and fields', async (t) => {
  const text = await logged(t, (logger) => {
    logger.debug('below the level')
    logger.info('started')
    logger.child({ node: 'a' }).child({ part: 'bus' }).warn({ replica: '127.0.0.1:8000', ms: 12 }, 'slow')
  })
  const lines = text.trimEnd().split('\n').map((line) => JSON.parse(line) as Record<string, unknown>)
  t.equal(lines.length, 2)
  t.match(lines[0], { level: 'info', name: 'test', pid: process.pid, msg: 'started', time: /^\d{4}-\d\d-\d\dT[\d:.]+Z$/ })
  t.match(lines[1], { level: 'warn', node: 'a', part: 'bus', replica: '127.0.0.1:8000', ms: 12, msg: 'slow' })
})

t.test('lines are written soon, though nobody flushes, and what comes during a write as well', async (t) => {
  const file = join(t.testdir(), 'log')
  const fd = openSync(file, 'w')
  const logger = createLogger({ level: 'info', name: 'test', fd })
  const written = async (lines: number): Promise<void> => {
    while (readFileSync(file, 'utf8').split('\n').length <= lines) await new Promise((resolve) => setTimeout(resolve, 20))
  }
  logger.info('alone')
  await written(1)
  // More than is gathered: the first are written at once, and the last come while they are.
  for (let n = 0; n < 50; n += 1) logger.info({ n, padding: 'x'.repeat(100) }, 'of many')
  await written(51)
  await logger.close()
  closeSync(fd)
})

t.test('errors come with code, stack and causes, and without what drivers attach to them', async (t) => {
  const cause = Object.assign(new Error('connect postgres://chat:hunter2@db:5432/chat'), { code: 'ECONNREFUSED', parameters: ['what a person wrote'] })
  const text = await logged(t, (logger) => logger.error({ err: new TypeError('no rows', { cause }) }, 'query failed'))
  t.notMatch(text, /hunter2|what a person wrote/)
  t.match(JSON.parse(text), { err: { type: 'TypeError', message: 'no rows', stack: /logger\.test/, cause: { type: 'Error', code: 'ECONNREFUSED', message: 'connect postgres://***@db:5432/chat' } } })
})

t.test('secrets and the text of messages are withheld by name at any depth, and counts are not', (t) => {
  t.strictSame(redactFields({ Authorization: 'x', a: { 'set-cookie': ['x'], b: [{ engineApiKey: 'x', api_key: 'x' }] }, text: 'x', messages: [{ role: 'user' }], title: 'x' }), {
    Authorization: '[withheld]',
    a: { 'set-cookie': '[withheld]', b: [{ engineApiKey: '[withheld]', api_key: '[withheld]' }] },
    text: '[withheld]',
    messages: '[withheld]',
    title: '[withheld]',
  })
  t.strictSame(redactFields({ token: 7, messages: 2, max_tokens: 5, password: null, hasSecret: true, context: 'kept' }), { token: 7, messages: 2, max_tokens: 5, password: null, hasSecret: true, context: 'kept' })
  t.end()
})

t.test('credentials are taken out of any string, wherever they stand', (t) => {
  const cases = [
    ['nats://u:p@a:4222,nats://u:p@b:4222', 'nats://***@a:4222,nats://***@b:4222'],
    ['redis://:p@ss@cache/0 and postgres://me@db/chat', 'redis://***@cache/0 and postgres://***@db/chat'],
    ['Authorization: Bearer eyJhbGciOi.abc.def', 'Authorization: Bearer ***'],
    ['GET /ws?token=abcdef&x=1', 'GET /ws?token=***&x=1'],
    ['https://host/path?at=a@b', 'https://host/path?at=a@b'],
    ['a bearer of news, a basic fact', 'a bearer of news, a basic fact'],
  ] as const
  for (const [given, written] of cases) t.equal(redactString(given), written)
  t.strictSame(redactFields({ url: new URL('https://u:p@host/'), list: ['tls://u:p@h'] }), { url: 'https://***@host/', list: ['tls://***@h'] })
  t.end()
})

t.test('whatever is logged, a line is bounded and is JSON, and a password never shows', (t) => {
  const password = fc.stringMatching(/^[A-Za-z0-9@:?#!]{12,20}$/)
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.anything({ withBigInt: true, withDate: true, withMap: true, withTypedArray: true, withNullPrototype: true })), password, (fields, secret) => {
      const written = JSON.stringify(redactFields({ ...fields, nested: { url: `postgres://user:${secret}@host/db`, dbPassword: secret } }))
      t.notOk(written.includes(secret))
    }),
  )
  const circular: Record<string, unknown> = { long: 'x'.repeat(100_000), many: Array.from({ length: 1000 }, () => 1), wide: Object.fromEntries(Array.from({ length: 1000 }, (_, n) => [n, n])), bytes: new Uint8Array(9) }
  circular['self'] = circular
  const written = JSON.stringify(redactFields(circular))
  t.ok(written.length < 64 * 1024)
  t.match(written, '"bytes":"9 bytes"')
  t.end()
})

t.test('at a terminal a line is for people', async (t) => {
  const text = await logged(t, (logger) => logger.child({ node: 'a' }).warn({ replica: 'two words', ms: 3, err: new Error('refused') }, 'no answer'), { pretty: true })
  t.match(text, /^\d\d:\d\d:\d\d warn {2}no answer {2}node=a {2}replica="two words" {2}ms=3\n {2}Error: refused\n {6}at /)
  t.equal(terminalLine('{"level":"info","time":"2026-01-01T00:00:00.000Z","msg":"up"}').slice(8), ' info  up\n')
})

t.test('what is buffered is written at exit, however that comes', async (t) => {
  const source = `
    import { createLogger } from '${new URL('logger.js', import.meta.url).href}'
    const logger = createLogger({ level: 'info', name: 'test' })
    for (let n = 0; n < 1000; n += 1) logger.info({ n }, 'line')`
  for (const end of ['', 'process.exit(3)', 'logger.fatal("end"); process.exit(3)']) {
    const { output } = await runProgram({ command: process.execPath, args: ['--input-type=module', '-e', `${source}\n${end}`] })
    t.strictSame(output.trimEnd().split('\n').flatMap((line) => (JSON.parse(line) as { n?: number }).n ?? []), Array.from({ length: 1000 }, (_, n) => n))
  }
})

t.test('lines that nobody reads are bounded, and their loss is told', async (t) => {
  const source = `
    import { createLogger } from '${new URL('logger.js', import.meta.url).href}'
    const logger = createLogger({ level: 'info', name: 'test' })
    const filler = 'x'.repeat(4000)
    for (let n = 0; n < 10_000; n += 1) logger.info({ filler }, 'line')
    process.stderr.write('written')
    setInterval(() => {}, 1000)`
  const child = spawn(process.execPath, ['--input-type=module', '-e', source], { stdio: ['ignore', 'pipe', 'pipe'] })
  t.teardown(() => child.kill('SIGKILL'))
  await new Promise((resolve) => child.stderr.once('data', resolve))
  let written = 0
  let last = ''
  for await (const line of createInterface({ input: child.stdout })) {
    last = line
    if (line.includes('dropped')) break
    written += 1
  }
  const { lines, msg } = JSON.parse(last) as { readonly lines: number; readonly msg: string }
  t.equal(msg, 'log lines were dropped, as nobody read them')
  t.equal(written + lines, 10_000)
  t.ok(lines > 5_000)
})
