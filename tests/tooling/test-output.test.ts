import { mkdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { Readable } from 'node:stream'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { pathToFileURL } from 'node:url'
import t, { type Test } from 'tap'
import { repositoryRoot } from '../harness/repository.ts'

/** A verdict that cannot be bad is no verdict: real test programs, ended in each way a test can end. */

interface Outcome {
  passed: number
  failed: number
  skipped: number
  details: string[]
}

const root = repositoryRoot()
const { readTestOutput } = (await import(pathToFileURL(path.join(root, 'scripts', 'test-output.mjs')).href)) as {
  readTestOutput: (stdout: Readable, stderr: Readable, ended: Promise<number | string>) => Promise<Outcome>
}

async function outcomeOf(t: Test, source: string): Promise<Outcome> {
  const folder = t.testdir({})
  mkdirSync(folder, { recursive: true })
  const file = path.join(folder, 'case.mjs')
  writeFileSync(file, source)
  const child = spawn(process.execPath, [file], { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] })
  const ended = once(child, 'close').then(([code, signal]) => (signal ?? code) as number | string)
  return readTestOutput(child.stdout, child.stderr, ended)
}

t.test('assertions of nested tests count once each, skipped ones apart', async (t) => {
  const outcome = await outcomeOf(t, `import t from 'tap'
    t.test('outer', async (t) => {
      t.ok(true)
      t.test('inner', async (t) => { t.equal(1, 1); t.skip('later') })
    })
    t.pass('outside')`)
  t.match(outcome, { passed: 3, failed: 0, skipped: 1, details: [/skipped: .*inner.*later/] })
})

t.test('a failure counts once, and is told with its place, its difference and what the file wrote', async (t) => {
  const outcome = await outcomeOf(t, `import t from 'tap'
    console.error('a hint')
    t.test('arithmetic', async (t) => { t.ok(true); t.equal(1, 2, 'one is two') })`)
  t.match(outcome, { passed: 1, failed: 1, skipped: 0 })
  const details = outcome.details.join('\n')
  t.match(details, /not ok: .*arithmetic > one is two/)
  t.match(details, /-2\n\s+\+1/)
  t.match(details, /case\.mjs:3/)
  t.match(details, 'a hint')
})

t.test('every bad end counts as failed', async (t) => {
  const ends: Record<string, [source: string, told: RegExp]> = {
    'a crash after passing': ["import t from 'tap'; t.pass(); process.kill(process.pid, 'SIGKILL')", /breaks off/],
    'an exit in the middle': ["import t from 'tap'; t.test('a', async (t) => { t.pass(); process.exit(0) })", /not ok/],
    'a file that does not load': ["import t from 'no-such-package'", /ended with code 1[^]*ERR_MODULE_NOT_FOUND/],
    'a file that asserts nothing': ["import 'tap'", /asserts nothing/],
    'no TAP at all': ["console.log('hello')", /asserts nothing/],
    'an exception': ["import t from 'tap'; t.test('a', async (t) => { t.pass(); throw new Error('boo') })", /boo/],
    'a rejection outside a test': ["import t from 'tap'; t.pass(); Promise.reject(new Error('boo'))", /boo/],
    'a plan that is not met': ["import t from 'tap'; t.test('a', (t) => { t.plan(2); t.pass(); t.end() })", /not ok/],
    'a test that never ends': ["import t from 'tap'; t.test('a', (t) => { t.pass() })", /not ok/],
    'a bailout': ["import t from 'tap'; t.pass(); t.bailout('no database')", /no database/],
    'a failing teardown': ["import t from 'tap'; t.test('a', async (t) => { t.pass(); t.teardown(() => { throw new Error('boo') }) })", /not ok/]
  }
  for (const [name, [source, told]] of Object.entries(ends)) {
    const { failed, details } = await outcomeOf(t, source)
    t.ok(failed >= 1, name)
    t.match(details.join('\n'), told, name)
  }
})
