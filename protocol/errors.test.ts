import t from 'tap'
import { ChatError, errorCatalogue, type ErrorCode, type ErrorDefinition } from './errors.ts'
import { closeCodes, mayReconnect } from './websocket/close-codes.ts'

const codes = Object.entries(errorCatalogue) as [ErrorCode, ErrorDefinition][]

t.test('every error of the catalogue is complete', async (t) => {
  for (const [code, { message, status, retryable }] of codes) {
    t.match(code, /^[a-z]+(_[a-z]+)*$/, code)
    t.match(message, /^[A-Z].*\.$/, `${code} speaks a sentence`)
    t.ok(status >= 400 && status < 600, `${code} has a status of an error`)
    t.ok(!retryable || [408, 409, 429, 500, 502, 503, 504].includes(status), `${code}: the status agrees that a retry makes sense`)
  }
})

t.test('where an error closes the connection, its close code agrees on whether to come back', async (t) => {
  for (const [code, { closeCode, retryable }] of codes) if (closeCode !== undefined) t.equal(mayReconnect(closeCode), retryable, code)
})

t.test('a client comes back after a restart or a lost connection, and not unchanged after a refusal', async (t) => {
  for (const code of [1001, 1006, 1012, 1013, 4429, 4430]) t.equal(mayReconnect(code), true, String(code))
  for (const code of [1000, 1009, 4400, 4401, 4403, 4408]) t.equal(mayReconnect(code), false, String(code))
  for (const code of [0, 1005, 1011, 3000, 4999]) t.equal(mayReconnect(code), true, `${code}, which nobody has defined`)
  for (const code of Object.keys(closeCodes)) t.match(code, /^(1\d{3}|4\d{3})$/)
})

t.test('an error tells a client its code, its message and whether to try again, and not its cause', async (t) => {
  const error = new ChatError('unavailable', undefined, { cause: new Error('password=secret'), retryAfterMs: 250 })
  t.strictSame(error.toPublic(), { code: 'unavailable', message: errorCatalogue.unavailable.message, retryable: true, retry_after_ms: 250 })
  t.strictSame(new ChatError('forbidden', 'Not yours.').toPublic(), { code: 'forbidden', message: 'Not yours.', retryable: false })
  t.type(error, Error)
  t.match(error.cause, { message: 'password=secret' })
  t.equal(new ChatError('internal').cause, undefined)
})
