import { spawn } from 'node:child_process'
import os from 'node:os'
import path from 'node:path'
import { filesBelow } from './fingerprint.mjs'
import { root } from './run-command.mjs'
import { SetupError } from './steps.mjs'
import { readTestOutput } from './test-output.mjs'

const fileDeadlineMs = 10 * 60_000

/**
 * Runs the compiled tests whose source path starts with one of `wanted` (all without any), as many at a time
 * as there are cores, and prints a line for each. A test is a plain program that writes TAP: nothing is
 * loaded into it, nor into the servers that it starts. Resolves with { passed, failed, skipped } over all assertions.
 */
export async function runTests(wanted) {
  const prefixes = wanted.map((name) => path.relative(root, path.resolve(name)).split(path.sep).join('/').replace(/\.[jt]sx?$/, ''))
  const files = filesBelow('dist')
    .filter((file) => file.endsWith('.test.js'))
    .filter((file) => prefixes.length === 0 || prefixes.some((prefix) => file.startsWith(`dist/${prefix}`)))
  if (files.length === 0) throw new SetupError(`There is no test ${wanted.join(' ')}.`, 'name a test file or a folder of the repository, for instance `npm test -- protocol`.')

  const total = { passed: 0, failed: 0, skipped: 0 }
  const waiting = [...files]
  const work = async () => {
    for (let file = waiting.shift(); file !== undefined; file = waiting.shift()) {
      const result = await runFile(file)
      print(file, result)
      for (const key of Object.keys(total)) total[key] += result[key]
    }
  }
  await Promise.all(Array.from({ length: Math.min(os.cpus().length, 4) }, work))
  return total
}

async function runFile(file) {
  const began = Date.now()
  const child = spawn(process.execPath, ['--enable-source-maps', file], {
    cwd: root,
    env: { ...process.env, TAP_TIMEOUT: process.env.TAP_TIMEOUT ?? '60' },
    stdio: ['ignore', 'pipe', 'pipe']
  })
  const timer = setTimeout(() => child.kill('SIGKILL'), fileDeadlineMs)
  const ended = new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code, signal) => resolve(signal ?? code))
  })
  const result = await readTestOutput(child.stdout, child.stderr, ended)
  clearTimeout(timer)
  return { ...result, seconds: (Date.now() - began) / 1000 }
}

function print(file, { passed, failed, skipped, details, seconds }) {
  const counts = [`${passed} passed`, failed > 0 && `${failed} failed`, skipped > 0 && `${skipped} skipped`].filter(Boolean).join(', ')
  const source = file.replace(/^dist\//, '').replace(/\.js$/, '.ts')
  console.log([`${failed > 0 ? 'FAILED' : 'ok'}  ${source}  ${counts} (${seconds.toFixed(1)} s)`, ...details].join('\n'))
}
