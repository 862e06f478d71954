import t from 'tap'
import { readArguments, usage } from './arguments.ts'

t.test('what is not said is a look at the server of this machine', async (t) => {
  t.same(readArguments([]), {
    host: '127.0.0.1', port: 8001, isSecure: false, dialect: 'chatterbot', sockets: 100, streams: 100, turns: 1, withinS: 1, tokens: 100, verifies: false, tokensPerSecond: null, pids: new Map(),
  })
  t.match(readArguments(['--url', 'https://[::1]', '--dialect', 'sse', '--sockets', '10000', '--streams', '2000', '--within', '1m', '--verify', '--tokens-per-second', '20', '--pid', 'edge=1', '--pid', 'bridge=2']), {
    host: '::1', port: 443, isSecure: true, dialect: 'sse', sockets: 10_000, streams: 2_000, withinS: 60, verifies: true, tokensPerSecond: 20, pids: new Map([['edge', 1], ['bridge', 2]]),
  })
  t.equal(readArguments(['--help']), 'help')
})

t.test('a command line that makes no sense is refused in words, and no secret is taken from it', async (t) => {
  t.throws(() => readArguments(['--dialect', 'smtp']), /--dialect: "smtp" is none of chatterbot,/)
  t.throws(() => readArguments(['--sockets', '5', '--streams', '6']), /--streams: "6" is not a whole number from 1 to 5/)
  t.throws(() => readArguments(['--pid', 'edge']), /--pid: "edge"/)
  t.throws(() => readArguments(['--url', 'ws://x']), /--url: not a URL/)
  t.throws(() => readArguments(['--url', 'http://user:secret@x']), { message: /credentials do not belong/ })
  t.throws(() => readArguments(['--api-key', 'x']), TypeError)
  t.match(usage, /CHATTERBOT_API_KEY/)
})
