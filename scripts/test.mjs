// `npm test`: everything from a fresh clone to a verdict; `npm test -- <file or folder>` runs a part.
// The last line is always `N passed, N failed`.
import { buildAll } from './build-all.mjs'
import { checkAll } from './check-all.mjs'
import { install } from './install.mjs'
import { requireNode } from './node-version.mjs'
import { requireServerBinary } from './server-binary.mjs'
import { reportFailure } from './steps.mjs'
import { fetchTestModel } from './test-model.mjs'
import { installTestPrerequisites } from './test-prerequisites.mjs'

requireNode()
let count = { passed: 0, failed: 1, skipped: 0 }
try {
  await install()
  requireServerBinary()
  await buildAll()
  const wanted = process.argv.slice(2)
  let faults = 0
  if (wanted.length === 0) {
    await installTestPrerequisites()
    // Without it, only the tests that run it fail.
    await fetchTestModel().catch(reportFailure)
    faults = await checkAll()
  }
  // Loaded only now: it needs what was just installed.
  const { runTests } = await import('./run-tests.mjs')
  count = await runTests(wanted)
  count.failed += faults
} catch (error) {
  reportFailure(error)
}
if (count.failed > 0) process.exitCode = 1
if (count.skipped > 0) console.log(`${count.skipped} skipped`)
console.log(`${count.passed} passed, ${count.failed} failed`)
