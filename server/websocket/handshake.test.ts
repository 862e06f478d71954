import fc from 'fast-check'
import t from 'tap'
import { addressKey } from '../http/address-key.ts'
import { FrameRate } from './frame-rate.ts'
import { isLoopback, negotiate, type HandshakeRequest } from './handshake.ts'

const request = (overrides: Partial<HandshakeRequest> = {}): HandshakeRequest => ({ version: '13', protocols: '', origin: '', host: 'chat.example', ...overrides })
const anyHost = { allowed: null, onLoopback: false }
const outcome = (overrides: Partial<HandshakeRequest>, origins: Parameters<typeof negotiate>[1] = anyHost): string | number => {
  const handshake = negotiate(request(overrides), origins)
  return handshake.accepted ? `${handshake.subprotocol} as "${handshake.named}"` : handshake.answer.status
}

t.test('the subprotocol is the first of ours that the client offers, and JSON where it offers none', async (t) => {
  t.equal(outcome({}), 'chatterbot.v1.json as ""')
  t.equal(outcome({ protocols: 'chatterbot.v1.json' }), 'chatterbot.v1.json as "chatterbot.v1.json"')
  t.equal(outcome({ protocols: ' other , chatterbot.v1.json,chatterbot.v1.msgpack' }), 'chatterbot.v1.msgpack as "chatterbot.v1.msgpack"')
  t.equal(outcome({ protocols: 'chatterbot.v2.json' }), 400)
  t.equal(outcome({ version: '8' }), 426)
  t.equal(outcome({ version: '' }), 426)
})

t.test('pages of other origins are refused unless they are allowed, and programs send no origin', async (t) => {
  t.match(outcome({ origin: 'https://chat.example' }), /json/)
  t.match(outcome({ origin: 'http://chat.example:8001', host: 'Chat.example:8001' }), /json/)
  t.equal(outcome({ origin: 'https://evil.example' }), 403)
  t.equal(outcome({ origin: 'null' }), 403)
  t.equal(outcome({ origin: 'http://chat.example:8002', host: 'chat.example:8001' }), 403)
  t.match(outcome({ origin: 'https://other.example' }, { allowed: ['https://other.example'], onLoopback: false }), /json/)
  t.equal(outcome({ origin: 'https://chat.example' }, { allowed: ['https://other.example'], onLoopback: false }), 403, 'a list replaces the rule')
  t.match(outcome({ origin: 'https://evil.example' }, { allowed: ['*'], onLoopback: false }), /json/)
})

t.test('a server of one machine is not reached under a name that a foreign name server gives it', async (t) => {
  const local = { allowed: null, onLoopback: true }
  t.equal(outcome({ origin: 'http://evil.example:8001', host: 'evil.example:8001' }, local), 403)
  t.match(outcome({ origin: 'http://localhost:8001', host: 'localhost:8001' }, local), /json/)
  t.match(outcome({ origin: 'http://[::1]:8001', host: '[::1]:8001' }, local), /json/)
  t.ok(['127.0.0.1', '127.1.2.3', 'LOCALHOST', 'a.localhost', '::1'].every(isLoopback))
  t.notOk(['127.evil.example', '1127.0.0.1', 'localhost.example', '0.0.0.0'].some(isLoopback))
})

t.test('any header values are negotiated without a throw', async () => {
  fc.assert(fc.property(fc.string(), fc.string(), fc.string(), fc.boolean(), (protocols, origin, host, onLoopback) => {
    negotiate(request({ protocols, origin, host }), { allowed: null, onLoopback })
  }))
})

t.test('an address is an IPv4 address or a /64 of IPv6', async (t) => {
  const bytes = (...values: number[]): ArrayBuffer => Uint8Array.from(values).buffer
  const v6 = (tail: number): ArrayBuffer => bytes(0x20, 1, 0xd, 0xb8, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, tail)
  t.equal(addressKey(bytes(10, 0, 0, 1)), addressKey(bytes(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 0, 1)))
  t.not(addressKey(bytes(10, 0, 0, 1)), addressKey(bytes(10, 0, 0, 2)))
  t.equal(addressKey(v6(1)), addressKey(v6(2)))
  t.not(addressKey(v6(1)), addressKey(bytes(0x20, 1, 0xd, 0xb8, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 1)))
})

t.test('whoever keeps to the rate is never refused, and whoever waits as told is allowed again', async () => {
  fc.assert(fc.property(fc.integer({ min: 1, max: 1000 }), fc.array(fc.double({ min: 1, max: 20, noNaN: true })), (perSecond, gaps) => {
    const rate = new FrameRate(perSecond, 0)
    let now = 0
    for (const gap of gaps) {
      now += (gap * 1000) / perSecond
      if (rate.take(now) !== 'allowed') return false
    }
    return true
  }))
  fc.assert(fc.property(fc.integer({ min: 1, max: 1000 }), fc.integer({ min: 0, max: 1999 }), (perSecond, extra) => {
    const rate = new FrameRate(perSecond, 0)
    const burst = perSecond * 2
    for (let n = 0; n < burst; n++) if (rate.take(0) !== 'allowed') return false
    for (let n = 0; n < 1 + (extra % burst); n++) if (rate.take(0) !== 'refused') return false
    return rate.retryAfterMs > 0 && rate.take(rate.retryAfterMs) === 'allowed'
  }), { examples: [[180, 1924]] })
})

t.test('who sends on in spite of being refused is abusing the connection', async (t) => {
  const rate = new FrameRate(10, 0)
  const verdicts = Array.from({ length: 41 }, () => rate.take(0))
  t.same(verdicts.slice(0, 20), Array(20).fill('allowed'))
  t.same(verdicts.slice(20, 40), Array(20).fill('refused'))
  t.equal(verdicts[40], 'abuse')
})
