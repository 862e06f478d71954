import fc from 'fast-check'
import t from 'tap'
import { AnswerError, AnswerReader, type KeepAlive } from './answer-reader.ts'

interface Read {
  readonly status: number | null
  readonly body: string
  readonly over: boolean
  readonly keepAlive: KeepAlive
}

function read(bytes: Buffer, cuts: readonly number[] = [], isEnded = false): Read {
  let status: number | null = null
  let body = ''
  const reader = new AnswerReader({
    head: (given) => {
      if (status !== null) throw new Error('a second head')
      status = given
    },
    body: (piece, start, end) => {
      if (status === null) throw new Error('a body before its head')
      body += piece.toString('latin1', start, end)
    },
  })
  const sorted = [...new Set(cuts.map((cut) => cut % (bytes.length + 1)))].sort((a, b) => a - b)
  for (const [index, from] of [0, ...sorted].entries()) {
    // A piece lies between bytes that are none of this answer, and is overwritten afterwards.
    const piece = Buffer.concat([Buffer.from('\r\n'), bytes.subarray(from, sorted[index] ?? bytes.length), Buffer.from('\n0')])
    reader.push(piece, 2, piece.length - 2)
    piece.fill(0x78)
  }
  if (isEnded) reader.end()
  return { status, body, over: reader.over, keepAlive: reader.keepAlive }
}

const answer = (...lines: readonly string[]): Buffer => Buffer.from(lines.join('\r\n'), 'latin1')
const ok = 'HTTP/1.1 200 OK'
const kept = { reusable: true, idleMs: null }

t.test('the three ways in which a body can be told, and their connections', async (t) => {
  t.same(read(answer(ok, 'content-length: 3', '', 'abc')), { status: 200, body: 'abc', over: true, keepAlive: kept })
  t.same(read(answer(ok, 'Content-Length:0', '', '')), { status: 200, body: '', over: true, keepAlive: kept })
  t.same(read(answer(ok, 'Transfer-Encoding: Chunked', '', '3', 'abc', '00b;x="y"', 'defghijklmn', '0', '', '')), { status: 200, body: 'abcdefghijklmn', over: true, keepAlive: kept })
  t.same(read(answer(ok, 'transfer-encoding: chunked', '', '1 ; x', 'a', '0', 'trailer: x', 'not even a field', '', '')), { status: 200, body: 'a', over: true, keepAlive: kept })
  t.same(read(answer(ok, '', 'abc')), { status: 200, body: 'abc', over: false, keepAlive: { reusable: false, idleMs: null } })
  t.same(read(answer(ok, '', 'abc'), [], true), { status: 200, body: 'abc', over: true, keepAlive: { reusable: false, idleMs: null } })
  t.same(read(Buffer.from('HTTP/1.1 204\n\n')), { status: 204, body: '', over: true, keepAlive: kept })
  t.same(read(answer('HTTP/1.1 100 Continue', 'content-length: 9', '', 'HTTP/1.1 103 Early Hints', 'link: x', '', ok, 'content-length: 1', '', 'a')), { status: 200, body: 'a', over: true, keepAlive: kept })
})

t.test('a connection is used again where both sides keep it', async (t) => {
  const keepAlive = (version: string, ...fields: readonly string[]): KeepAlive => read(answer(`HTTP/${version} 200 OK`, ...fields, 'content-length: 0', '', '')).keepAlive
  t.same(keepAlive('1.1', 'connection: close'), { reusable: false, idleMs: null })
  t.same(keepAlive('1.1', 'Connection: x, Close'), { reusable: false, idleMs: null })
  t.same(keepAlive('1.0'), { reusable: false, idleMs: null })
  t.same(keepAlive('1.0', 'connection: Keep-Alive'), { reusable: true, idleMs: null })
  t.same(keepAlive('1.1', 'Keep-Alive: timeout=5, max=100'), { reusable: true, idleMs: 5000 })
  t.same(keepAlive('1.1', 'keep-alive: max=100, timeout=7'), { reusable: true, idleMs: 7000 })
})

t.test('an answer reads the same however it is cut', async () => {
  const field = fc.tuple(fc.constantFrom('server', 'x-a', 'Date'), fc.string({ unit: fc.constantFrom('a', ' ', ':', ',', '\u00e9') }))
  const chunk = fc.tuple(fc.string({ unit: fc.constantFrom('a', '\r', '\n', '0', '\u00ff'), minLength: 1, maxLength: 300 }), fc.constantFrom('', ';x', ' ;a="b"'))
  fc.assert(
    fc.property(fc.array(field), fc.array(chunk, { maxLength: 5 }), fc.constantFrom('chunks', 'length', 'close'), fc.constantFrom('\r\n', '\n'), fc.boolean(), fc.array(fc.nat(), { maxLength: 12 }), (fields, chunks, how, newline, isUpper, cuts) => {
      const body = chunks.map(([text]) => text).join('')
      const size = (text: string): string => (isUpper ? text.length.toString(16).toUpperCase() : `0${text.length.toString(16)}`)
      const head = [ok, ...fields.map(([name, value]) => `${name}: ${value}`), ...(how === 'chunks' ? ['transfer-encoding: chunked'] : how === 'length' ? [`content-length: ${body.length}`] : []), '', ''].join(newline)
      const tail = how === 'chunks' ? [...chunks.map(([text, extension]) => `${size(text)}${extension}${newline}${text}${newline}`), `0${newline}`, newline].join('') : body
      const given = read(Buffer.from(head + tail, 'latin1'), cuts, how === 'close')
      return given.status === 200 && given.body === body && given.over && given.keepAlive.reusable === (how !== 'close')
    }),
    { numRuns: 1000 },
  )
})

t.test('what is no answer, or not one alone, is refused', async (t) => {
  for (const bytes of [
    'nonsense\r\n\r\n',
    'HTTP/2 200\r\n\r\n',
    'HTTP/1.1 600 x\r\n\r\n',
    'HTTP/1.1 2000\r\n\r\n',
    'HTTP/1.1 101 Switching Protocols\r\n\r\n',
    `${ok}\r\nno field\r\n\r\n`,
    `${ok}\r\na : b\r\n\r\n`,
    `${ok}\r\n: b\r\n\r\n`,
    `${ok}\r\na: b\r\n folded\r\n\r\n`,
    `${ok}\r\ncontent-length: -1\r\n\r\n`,
    `${ok}\r\ncontent-length: 1, 1\r\n\r\n`,
    `${ok}\r\ncontent-length: 1\r\ncontent-length: 1\r\n\r\n`,
    `${ok}\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n`,
    `${ok}\r\ntransfer-encoding: gzip, chunked\r\n\r\n`,
    `${ok}\r\ntransfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n`,
    `${ok}\r\ntransfer-encoding: chunked\r\n\r\n\r\n`,
    `${ok}\r\ntransfer-encoding: chunked\r\n\r\n-1\r\n`,
    `${ok}\r\ntransfer-encoding: chunked\r\n\r\n0x1\r\n`,
    `${ok}\r\ntransfer-encoding: chunked\r\n\r\n1 1\r\n`,
    `${ok}\r\ntransfer-encoding: chunked\r\n\r\nffffffffffff\r\n`,
    `${ok}\r\ntransfer-encoding: chunked\r\n\r\n1\r\nab\r\n`,
    `${ok}\r\ncontent-length: 1\r\n\r\nab`,
    `${ok}\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n0`,
    `${ok}\r\nx: ${'a'.repeat(20_000)}`,
    `${ok}\r\n${'x: aaaaaaaa\r\n'.repeat(2_000)}`,
    `${ok}\r\ntransfer-encoding: chunked\r\n\r\n1;${'a'.repeat(20_000)}`,
    `${ok}\r\ntransfer-encoding: chunked\r\n\r\n0\r\n${'x: aaaaaaaa\r\n'.repeat(2_000)}`,
    'a'.repeat(20_000),
  ]) {
    t.throws(() => read(Buffer.from(bytes)), AnswerError, bytes.slice(0, 100))
    fc.assert(fc.property(fc.array(fc.nat(), { maxLength: 12 }), (cuts) => {
      try {
        read(Buffer.from(bytes), cuts)
        return false
      } catch (error) {
        return error instanceof AnswerError
      }
    }), { numRuns: 20 })
  }
})

t.test('an answer that the end of its connection cuts is not complete', async (t) => {
  for (const whole of [answer(ok, 'content-length: 3', '', 'abc'), answer(ok, 'transfer-encoding: chunked', '', '3', 'abc', '0', '', '')]) {
    for (let length = 0; length < whole.length; length++) t.throws(() => read(whole.subarray(0, length), [], true), AnswerError, String(length))
    t.equal(read(whole, [], true).over, true)
  }
  const head = answer(ok, '', '')
  for (let length = 0; length < head.length; length++) t.throws(() => read(head.subarray(0, length), [], true), AnswerError)
})
