import { Parser } from 'tap-parser'

const maxShown = 20
const maxErrorOutput = 16 * 1024
const shownDetails = ['diff', 'error', 'code', 'signal', 'exitCode', 'at', 'stack']

/**
 * Reads what one test file says: TAP on `stdout`, anything on `stderr`; `ended` resolves with its exit code
 * or the signal that ended it. Resolves with the numbers of assertions { passed, failed, skipped } and `details`,
 * the lines that explain failures. A file that crashed, broke off, was given up or asserted nothing has failed.
 */
export async function readTestOutput(stdout, stderr, ended) {
  const count = { passed: 0, failed: 0, skipped: 0 }
  const details = []
  const fail = (name, lines = []) => {
    count.failed += 1
    if (count.failed <= maxShown) details.push(`    not ok: ${name}`, ...lines.map((line) => `        ${line}`))
  }

  const parser = new Parser()
  // The parser tells of the point of a nested test only if it says more than the points within.
  parser.on('pass', () => { count.passed += 1 })
  parser.on('skip', (point) => {
    count.skipped += 1
    details.push(`    skipped: ${point.fullname}${typeof point.skip === 'string' ? `: ${point.skip}` : ''}`)
  })
  parser.on('todo', () => { count.skipped += 1 })
  parser.on('fail', (point) => fail(point.fullname, describe(point.diag)))
  parser.on('bailout', (reason) => fail('given up', [String(reason)]))
  parser.on('complete', ({ ok }) => { if (!ok && count.failed === 0) fail('the output breaks off or breaks its plan') })

  let errorOutput = ''
  stdout.setEncoding('utf8').on('data', (chunk) => parser.write(chunk))
  stderr.setEncoding('utf8').on('data', (chunk) => { errorOutput = (errorOutput + chunk).slice(-maxErrorOutput) })
  const exit = await ended
  parser.end()

  if (exit !== 0 && count.failed === 0) fail(`ended with ${typeof exit === 'number' ? `code ${exit}` : exit}`)
  if (count.passed + count.failed + count.skipped === 0) fail('asserts nothing')
  if (count.failed > maxShown) details.push(`    and ${count.failed - maxShown} more`)
  if (count.failed > 0 && errorOutput !== '') details.push('    it also wrote:', ...errorOutput.trimEnd().split('\n').map((line) => `        ${line}`))
  return { ...count, details }
}

function describe(diagnostic) {
  if (!diagnostic) return []
  return shownDetails.flatMap((key) => {
    const value = diagnostic[key]
    if (value === undefined || value === null) return []
    if (key === 'at') return value.fileName === undefined ? [] : [`at ${value.fileName}:${value.lineNumber}`]
    const lines = (typeof value === 'string' ? value : JSON.stringify(value)).trimEnd().split('\n')
    return lines.length === 1 ? [`${key}: ${lines[0]}`] : [`${key}:`, ...lines.map((line) => `  ${line}`)]
  })
}
