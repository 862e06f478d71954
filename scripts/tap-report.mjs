import { Parser } from 'tap-parser'

const maxShown = 20
const shownDetails = ['diff', 'error', 'code', 'signal', 'exitCode', 'at', 'stack']

/**
 * Reads a run's TAP, prints a line per test file and the failures of a file below it, and counts
 * assertions. A file that crashed, timed out or asserted nothing counts as one failure.
 * `end()` gives { passed, failed, skipped }.
 */
export function tapReport(print) {
  const count = { passed: 0, failed: 0, skipped: 0 }
  let failures = []
  let before = { ...count }
  const fail = (name, lines) => {
    count.failed += 1
    failures.push([`    not ok: ${name}`, ...lines.map((line) => `        ${line}`)].join('\n'))
  }
  const finishFile = (point) => {
    if (!point.ok && count.failed === before.failed) fail('the file ended badly', describe(point.diag))
    const passed = count.passed - before.passed
    if (passed === 0 && count.skipped === before.skipped && count.failed === before.failed) fail('the file asserts nothing', [])
    const failed = count.failed - before.failed
    const seconds = point.time === null ? '' : ` (${(point.time / 1000).toFixed(1)} s)`
    print(`${failed > 0 ? 'FAILED' : 'ok'}  ${sourceOf(point.name)}  ${passed} passed${failed > 0 ? `, ${failed} failed` : ''}${seconds}`)
    printFailures()
    before = { ...count }
  }
  const printFailures = () => {
    for (const failure of failures.slice(0, maxShown)) print(failure)
    if (failures.length > maxShown) print(`    and ${failures.length - maxShown} more`)
    failures = []
  }

  const parser = new Parser()
  const files = new WeakSet()
  // First the parser tells of a file's own point, then of every point that says more than those within it.
  parser.on('assert', (point) => {
    files.add(point)
    finishFile(point)
  })
  const onPoint = (event, handler) => parser.on(event, (point) => { if (!files.has(point)) handler(point) })
  onPoint('pass', () => { count.passed += 1 })
  onPoint('skip', () => { count.skipped += 1 })
  onPoint('todo', () => { count.skipped += 1 })
  onPoint('fail', (point) => fail(point.fullname, describe(point.diag)))
  parser.on('bailout', (reason) => fail('the run was given up', [String(reason)]))
  parser.on('complete', ({ ok }) => { if (!ok && count.failed === 0) fail('the run broke off', []) })
  return {
    write: (chunk) => parser.write(chunk),
    end: () => {
      parser.end()
      printFailures()
      return count
    }
  }
}

const sourceOf = (file) => file.replace(/^dist\//, '').replace(/\.js$/, '.ts')

function describe(details) {
  if (!details) return []
  return shownDetails.flatMap((key) => {
    const value = details[key]
    if (value === undefined || value === null) return []
    if (key === 'at') return value.fileName === undefined ? [] : [`at ${value.fileName}:${value.lineNumber}`]
    const lines = (typeof value === 'string' ? value : JSON.stringify(value)).trimEnd().split('\n')
    return lines.length === 1 ? [`${key}: ${lines[0]}`] : [`${key}:`, ...lines.map((line) => `  ${line}`)]
  })
}
