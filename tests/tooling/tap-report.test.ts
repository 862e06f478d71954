import path from 'node:path'
import { pathToFileURL } from 'node:url'
import t from 'tap'
import { repositoryRoot } from '../harness/repository.ts'

interface Report {
  write(chunk: string): void
  end(): { passed: number; failed: number; skipped: number }
}

const { tapReport } = (await import(pathToFileURL(path.join(repositoryRoot(), 'scripts', 'tap-report.mjs')).href)) as {
  tapReport: (print: (line: string) => void) => Report
}

function read(tap: string): { counts: ReturnType<Report['end']>; printed: string } {
  const lines: string[] = []
  const report = tapReport((line) => lines.push(line))
  // In pieces, as a pipe gives them.
  for (const piece of `TAP version 14\n${tap}`.match(/[^]{1,37}/g) ?? []) report.write(piece)
  return { counts: report.end(), printed: lines.join('\n') }
}

t.test('assertions of nested tests count once each, skipped ones apart', async (t) => {
  const { counts, printed } = read(`1..1
# Subtest: dist/a/x.test.js
    # Subtest: outer
        ok 1 - one
        # Subtest: inner
            ok 1 - should be equal
            ok 2 - later # SKIP
            1..2
        ok 2 - inner # time=3.251ms
        1..2
    ok 1 - outer # time=6.998ms
    1..1
ok 1 - dist/a/x.test.js # time=1200ms
`)
  t.same(counts, { passed: 2, failed: 0, skipped: 1 })
  t.equal(printed, 'ok  a/x.test.ts  2 passed (1.2 s)')
})

t.test('a failure counts once, and is told with its place and difference', async (t) => {
  const { counts, printed } = read(`1..1
# Subtest: dist/a/bad.test.js
    # Subtest: fails
        ok 1 - should be equal
        not ok 2 - not equal
          ---
          diff: |
            -2
            +1
          at:
            fileName: a/bad.test.ts
            lineNumber: 2
          ...
        1..2
    not ok 1 - fails # time=21.282ms
    1..1
not ok 1 - dist/a/bad.test.js # time=33.495ms
`)
  t.same(counts, { passed: 1, failed: 1, skipped: 0 })
  t.match(printed, /^FAILED {2}a\/bad.test.ts {2}1 passed, 1 failed \(0.0 s\)\n {4}not ok: .*fails.*not equal\n[^]*-2\n[^]*\+1\n[^]*at a\/bad.test.ts:2/)
})

t.test('a file that crashes after its assertions have passed counts as failed', async (t) => {
  const { counts, printed } = read(`1..1
# Subtest: dist/a/crash.test.js
    ok 1 - p
    # test count(1) != plan(null)
not ok 1 - dist/a/crash.test.js # time=475.546ms
  ---
  exitCode: null
  signal: SIGKILL
  ...
`)
  t.same(counts, { passed: 1, failed: 1, skipped: 0 })
  t.match(printed, /SIGKILL/)
})

t.test('a file that cannot be loaded, or asserts nothing, counts as failed', async (t) => {
  t.same(read(`1..1
# Subtest: dist/a/missing.test.js
    1..0 # no tests found
not ok 1 - dist/a/missing.test.js # time=466.514ms
  ---
  exitCode: 1
  ...
`).counts, { passed: 0, failed: 1, skipped: 0 })
  const { counts, printed } = read(`1..1
# Subtest: dist/a/none.test.js
    1..0 # no tests found
ok 1 - dist/a/none.test.js # SKIP no tests found
`)
  t.same(counts, { passed: 0, failed: 1, skipped: 0 })
  t.match(printed, /asserts nothing/)
})

t.test('a run that is given up or breaks off counts as failed', async (t) => {
  const { counts, printed } = read(`# Subtest: dist/a/bail.test.js
    ok 1 - p
    Bail out! no database
Bail out! no database
`)
  t.ok(counts.failed >= 1)
  t.match(printed, /no database/)
  t.ok(read(`1..2
# Subtest: dist/a/x.test.js
    ok 1 - one
    1..1
ok 1 - dist/a/x.test.js # time=12ms
# Subtest: dist/a/y.test.js
    ok 1 - one
`).counts.failed >= 1)
})
