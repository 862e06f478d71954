import t from 'tap'
import { readArguments, usage } from './arguments.ts'

t.test('what is not said is a smoke test of the server of this machine', async (t) => {
  t.same(readArguments([]), { url: 'http://127.0.0.1:8001', scenario: 'smoke', people: 10, chatsEach: 1, rate: 100, holdS: 10, thinkS: 5, turns: 4, tokens: 60, verifies: false, model: null, report: 'load-report' })
  t.match(readArguments(['--scenario', 'soak', '--people', '500']), { scenario: 'soak', people: 500, holdS: 3_600 })
  t.match(readArguments(['--url', 'https://chat.example/path', '--hold', '10m', '--verify']), { url: 'https://chat.example', holdS: 600, verifies: true })
  t.match(readArguments(['--scenario', 'requests', '--rate', '50']), { rate: 50, thinkS: 0 })
  t.equal(readArguments(['--help']), 'help')
})

t.test('a command line that makes no sense is refused in words, and no secret is taken from it', async (t) => {
  t.throws(() => readArguments(['--scenario', 'smok']), /--scenario: "smok" is none of smoke,/)
  t.throws(() => readArguments(['--people', '0']), /--people: "0" is not a whole number from 1/)
  t.throws(() => readArguments(['--hold', 'long']), /--hold/)
  t.throws(() => readArguments(['--chats-each', '21']), /--chats-each/)
  t.throws(() => readArguments(['--url', 'ftp://x']), /--url: not a URL/)
  t.throws(() => readArguments(['--url', 'http://user:secret@x']), { message: /credentials do not belong/ })
  t.notMatch(String(await Promise.resolve().then(() => readArguments(['--url', 'http://user:secret@x'])).catch(String)), /secret/)
  t.throws(() => readArguments(['--api-key', 'x']), TypeError)
  t.match(usage, /CHATTERBOT_API_KEY/)
})
