import { existsSync, readFileSync, statSync } from 'node:fs'
import path from 'node:path'
import t from 'tap'
import { LogFile } from './log-file.ts'

t.test('lines are added to what is there, and never more than twice 16 MiB are kept', (t) => {
  const folder = path.join(t.testdir(), 'logs')
  const first = new LogFile(folder, 'edge-1')
  t.notOk(existsSync(folder), 'nothing is made before there is something to say')
  first.write('one')
  first.close()
  const log = new LogFile(folder, 'edge-1')
  log.write('two')
  t.equal(readFileSync(log.path, 'utf8'), 'one\ntwo\n')
  t.equal(statSync(log.path).mode & 0o077, 0, 'for nobody else')

  const line = 'x'.repeat(1024 * 1024 - 1)
  for (let n = 0; n < 40; n += 1) log.write(line)
  log.write('last')
  log.close()
  const sizes = [log.path, `${log.path}.1`].map((file) => statSync(file).size)
  t.ok(sizes.every((size) => size <= 17 * 1024 * 1024), `${sizes.join(', ')} bytes`)
  t.match(readFileSync(log.path, 'utf8').slice(-6), 'last\n')
  t.end()
})

t.test('a log that cannot be written costs its lines', (t) => {
  const file = path.join(t.testdir({ file: '' }), 'file')
  const log = new LogFile(file, 'edge-1')
  log.write('lost')
  log.close()
  t.pass('and nothing else')
  t.end()
})
