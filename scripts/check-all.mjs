import { incremental } from './compile.mjs'
import { commandOf, root, runCommand } from './run-command.mjs'
import { step } from './steps.mjs'

const node = async (...args) => {
  const { code, output } = await runCommand(process.execPath, args)
  return code === 0 ? '' : output
}

/** Each gives '' or what it found wrong. */
const checks = {
  types: () => node(commandOf('typescript', 'tsc'), '--noEmit', '--pretty', 'false', ...incremental('checked')),
  lint: () => node(commandOf('oxlint'), '--deny-warnings', '--format=unix'),
  boundaries: async () => {
    const { findBreaches } = await import('./boundaries.mjs')
    return findBreaches(root).join('\n')
  },
  'dead code and dependencies': () => node(commandOf('knip')),
  'lock file': async () => {
    const { findLockFaults } = await import('./lock-file.mjs')
    return findLockFaults(root).join('\n')
  }
}

/** Runs every check, prints what each found, and resolves with the number of checks that found something. */
export async function checkAll() {
  const outputs = await step('Checking types, lint, boundaries, dead code and the lock file', () =>
    Promise.all(Object.entries(checks).map(async ([name, check]) => ({ name, output: await check() })))
  )
  const failed = outputs.filter(({ output }) => output !== '')
  for (const { name, output } of failed) console.log(`\nFAILED  check: ${name}\n${output.trimEnd()}`)
  return failed.length
}
