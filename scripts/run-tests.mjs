import { spawn } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { filesBelow } from './fingerprint.mjs'
import { commandOf, lastLines, root, runCommand } from './run-command.mjs'
import { SetupError, step } from './steps.mjs'
import { tapReport } from './tap-report.mjs'

/**
 * Runs the compiled tests whose source path starts with one of `wanted` (all without any).
 * Resolves with the counts; `failed` is at least 1 when anything at all went wrong.
 */
export async function runTests(wanted) {
  await generateTestClass()
  const prefixes = wanted.map((name) => path.relative(root, path.resolve(name)).split(path.sep).join('/').replace(/\.[jt]sx?$/, ''))
  const files = filesBelow('dist')
    .filter((file) => file.endsWith('.test.js'))
    .filter((file) => prefixes.length === 0 || prefixes.some((prefix) => file.startsWith(`dist/${prefix}`)))
  if (files.length === 0) throw new SetupError(`No test matches ${wanted.join(' ') || 'dist/**/*.test.js'}.`, 'name a test file or a folder as in the repository, for instance `npm test -- protocol`.')

  const report = tapReport((line) => console.log(line))
  const code = await tap(files, report)
  const count = report.end()
  if (code !== 0 && count.failed === 0) {
    console.log(`FAILED  the test runner itself ended with code ${code}`)
    count.failed = 1
  }
  return count
}

function tap(files, report) {
  const jobs = Math.min(4, os.cpus().length)
  return new Promise((resolve, reject) => {
    const args = [commandOf('tap'), `--jobs=${jobs}`, '--reporter=tap', '--no-color', ...files]
    const child = spawn(process.execPath, args, { cwd: root, stdio: ['ignore', 'pipe', 'inherit'] })
    child.stdout.on('data', (chunk) => report.write(chunk))
    child.on('error', reject)
    child.on('close', (code) => resolve(code ?? 128))
  })
}

/** tap's test class is generated for the plugins that .taprc names, and lies in node_modules. */
async function generateTestClass() {
  const settings = readFileSync(path.join(root, '.taprc'), 'utf8')
  const stamp = path.join(root, 'node_modules', '@tapjs', 'test', 'test-built', '.settings')
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === settings) return
  await step('Preparing the test runner', async () => {
    const { code, output } = await runCommand(process.execPath, [commandOf('tap'), 'build'])
    if (code !== 0) throw new SetupError(`tap build failed:\n${lastLines(output, 15)}`, 'delete node_modules and .tap, then run `npm test` again.')
    writeFileSync(stamp, settings)
  })
}
