import fc from 'fast-check'
import t from 'tap'
import { addressKey } from './address-key.ts'
import { ClientAddresses, type ForwardedHeader } from './client-address.ts'

const bytes = (...values: number[]): ArrayBuffer => Uint8Array.from(values).buffer
const proxy = bytes(10, 0, 0, 1)
const key = (...values: number[]): string => addressKey(bytes(...values))

function keyOf(text: string, { peer = proxy, trusted = ['10.0.0.0/8', 'fd00::/8'], header = 'x-forwarded-for' }: { readonly peer?: ArrayBuffer; readonly trusted?: readonly string[]; readonly header?: ForwardedHeader } = {}): string {
  return new ClientAddresses({ trusted, header }).keyOf(peer, (name) => (name === header ? text : undefined))
}

t.test('nobody is believed but trusted proxies', (t) => {
  t.equal(keyOf('203.0.113.7', { trusted: [] }), key(10, 0, 0, 1))
  t.equal(keyOf('203.0.113.7', { peer: bytes(192, 0, 2, 1) }), key(192, 0, 2, 1))
  t.equal(keyOf('203.0.113.7'), key(203, 0, 113, 7))
  t.equal(keyOf('203.0.113.7', { peer: bytes(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 0, 1) }), key(203, 0, 113, 7))
  t.end()
})

t.test('the last hop that is no trusted proxy counts, whatever the client wrote before it', (t) => {
  t.equal(keyOf('1.1.1.1, 203.0.113.7'), key(203, 0, 113, 7))
  t.equal(keyOf('1.1.1.1, 203.0.113.7, 10.9.9.9, 10.0.0.2'), key(203, 0, 113, 7))
  t.equal(keyOf('10.1.1.1, 10.2.2.2'), key(10, 1, 1, 1))
  t.equal(keyOf('203.0.113.7:51234'), key(203, 0, 113, 7))
  t.equal(keyOf('evil, 10.0.0.9'), key(10, 0, 0, 9))
  for (const nothing of ['', ',', 'unknown', '_hidden', '999.1.1.1', '::1%eth0', '1.2.3']) t.equal(keyOf(nothing), key(10, 0, 0, 1), nothing)
  t.equal(keyOf(Array.from({ length: 5000 }, () => '10.0.0.3').join(',')), key(10, 0, 0, 3))
  t.end()
})

t.test('IPv6 addresses count by their /64, in every way of writing them', (t) => {
  const same = ['2001:db8:1:2::7', '[2001:db8:1:2::9]:443', '2001:0db8:0001:0002:ffff:0000:0000:0001', '2001:DB8:1:2::'].map((text) => keyOf(text))
  t.equal(new Set(same).size, 1)
  t.not(keyOf('2001:db8:1:3::7'), same[0])
  t.equal(keyOf('::ffff:203.0.113.7'), key(203, 0, 113, 7))
  t.equal(keyOf('2001:db8:1:2::7, fd00::1'), same[0])
  t.end()
})

t.test('the header of RFC 7239 is read where it is the one that proxies set', (t) => {
  const forwarded = (text: string): string => keyOf(text, { header: 'forwarded' })
  t.equal(forwarded('for=1.1.1.1, for=203.0.113.7;proto=https;by=10.0.0.1'), key(203, 0, 113, 7))
  t.equal(forwarded('proto=http;For="[2001:db8:1:2::7]:4711"'), keyOf('2001:db8:1:2::7'))
  t.equal(forwarded('for=203.0.113.7, for="10.0.0.4:80"'), key(203, 0, 113, 7))
  for (const nothing of ['', 'for=unknown', 'for="_x, for=1.1.1.1"', 'by=1.1.1.1', ';;;', '"']) t.equal(forwarded(nothing), key(10, 0, 0, 1), nothing)
  t.end()
})

t.test('no text is too much for it', (t) => {
  for (const header of ['x-forwarded-for', 'forwarded'] as const) fc.assert(fc.property(fc.string({ unit: 'binary', maxLength: 200 }), (text) => typeof keyOf(text, { header }) === 'string'))
  fc.assert(fc.property(fc.ipV4(), fc.string({ maxLength: 50 }), (address, before) => keyOf(`${before},${address}`, { trusted: ['10.0.0.1'] }) === addressKey(Uint8Array.from(address.split('.').map(Number)).buffer)))
  fc.assert(fc.property(fc.ipV6(), (address) => keyOf(address).length > 0))
  t.end()
})
