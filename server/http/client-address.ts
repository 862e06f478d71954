/**
 * Where a request comes from: whoever connects, or, where that is a trusted proxy, the last hop that is none, as the
 * proxies tell. What a client writes into the header stands before what they add, and is never reached.
 */
import { BlockList, isIP } from 'node:net'
import { addressKey } from './address-key.ts'

export type ForwardedHeader = 'x-forwarded-for' | 'forwarded'

export interface ProxyPolicy {
  /** IP networks: 10.0.0.0/8, ::1. */
  readonly trusted: readonly string[]
  readonly header: ForwardedHeader
}

/** Hops that are looked at: no chain of proxies is longer. */
const mostHops = 32

export class ClientAddresses {
  readonly #trusted = new BlockList()
  readonly #hasTrusted: boolean
  readonly #header: ForwardedHeader

  constructor({ trusted, header }: ProxyPolicy) {
    this.#header = header
    this.#hasTrusted = trusted.length > 0
    for (const network of trusted) {
      const [address = '', prefix] = network.split('/')
      const family = isIP(address) === 6 ? 'ipv6' : 'ipv4'
      this.#trusted.addSubnet(address, prefix === undefined ? (family === 'ipv6' ? 128 : 32) : Number(prefix), family)
    }
  }

  /** As `addressKey` tells it. `remote`: the 4 or 16 bytes that the socket tells; `header`: a request header, by its name in lower case. */
  keyOf(remote: ArrayBuffer, header: (name: string) => string | undefined): string {
    const peer = addressKey(remote)
    if (!this.#hasTrusted || !this.#trusts(textOf(Buffer.from(remote)))) return peer
    const text = header(this.#header) ?? ''
    const hops = this.#header === 'forwarded' ? forwardedHops(text) : text.split(',')
    let found: Buffer | null = null
    for (const hop of hops.slice(-mostHops).reverse()) {
      const bytes = bytesOf(withoutPort(hop.trim()))
      if (bytes === null) break
      found = bytes
      if (!this.#trusts(textOf(bytes))) break
    }
    return found === null ? peer : addressKey(Uint8Array.from(found).buffer)
  }

  /** Whether many clients come from there: from a trusted proxy. */
  isProxy(remote: ArrayBuffer): boolean {
    return this.#hasTrusted && this.#trusts(textOf(Buffer.from(remote)))
  }

  #trusts(text: string): boolean {
    return this.#trusted.check(text, isIP(text) === 6 ? 'ipv6' : 'ipv4')
  }
}

/** Of RFC 7239, `for` of each hop; empty where a hop has none. Commas and semicolons within quotes are none of its syntax. */
function forwardedHops(text: string): string[] {
  const hops = text.match(/(?:"(?:[^"\\]|\\.)*"|[^,"])+/g) ?? []
  return hops.map((hop) => /(?:^|;)\s*for=(?:"([^"]*)"|([^;\s]*))/i.exec(hop)).map((found) => found?.[1] ?? found?.[2] ?? '')
}

function withoutPort(hop: string): string {
  return /^\[([^\]]*)\](?::\d+)?$/.exec(hop)?.[1] ?? /^(\d+\.\d+\.\d+\.\d+):\d+$/.exec(hop)?.[1] ?? hop
}

/** Null where it is no address. */
function bytesOf(text: string): Buffer | null {
  if (isIP(text) === 4) return Buffer.from(text.split('.').map(Number))
  if (isIP(text) !== 6 || text.includes('%')) return null
  const groups = (part: string): number[] => (part === '' ? [] : part.split(':').flatMap((group) => (group.includes('.') ? pairs(group) : [Number.parseInt(group, 16)])))
  const [head = '', tail] = text.split('::')
  const [before, after] = [groups(head), tail === undefined ? [] : groups(tail)]
  const all = [...before, ...Array.from({ length: 8 - before.length - after.length }, () => 0), ...after]
  return Buffer.from(all.flatMap((group) => [group >> 8, group & 0xff]))
}

function pairs(ipv4: string): number[] {
  const [a = 0, b = 0, c = 0, d = 0] = ipv4.split('.').map(Number)
  return [a * 256 + b, c * 256 + d]
}

/** An IPv4 address that is mapped into IPv6 is one of IPv4. */
function textOf(bytes: Buffer): string {
  if (bytes.length === 4) return bytes.join('.')
  if (bytes.length !== 16) return '0.0.0.0'
  if (bytes.readBigUInt64BE(0) === 0n && bytes.readUInt32BE(8) === 0xffff) return bytes.subarray(12).join('.')
  return Array.from({ length: 8 }, (_, group) => bytes.readUInt16BE(group * 2).toString(16)).join(':')
}
