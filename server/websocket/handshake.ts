/** Whether a request for a WebSocket is taken, and with which subprotocol. */
import { defaultSubprotocol, subprotocols, type Subprotocol } from '../../protocol/websocket/subprotocols.ts'
import { problem, type HttpAnswer } from '../http/answer.ts'

export interface HandshakeRequest {
  /** Sec-WebSocket-Version, Sec-WebSocket-Protocol, Origin and Host; empty where absent. */
  readonly version: string
  readonly protocols: string
  readonly origin: string
  readonly host: string
}

export type Handshake =
  /** `named`: the subprotocol to name in the answer; empty where the client offered none. */
  { readonly accepted: true; readonly subprotocol: Subprotocol; readonly named: string } | { readonly accepted: false; readonly answer: HttpAnswer }

/** Which pages may connect. A client that is no browser sends no Origin, and is none of this check's business. */
export interface OriginPolicy {
  /** Origins, `*` for all; null: pages of this very host. */
  readonly allowed: readonly string[] | null
  /** The server can be reached from its own machine only: then "this very host" has a name of that machine, whatever a foreign name server says of others. */
  readonly onLoopback: boolean
}

export function negotiate(request: HandshakeRequest, origins: OriginPolicy): Handshake {
  const refuse = (answer: HttpAnswer): Handshake => ({ accepted: false, answer })
  if (request.version !== '13') return refuse(problem(426, 'Only version 13 of the WebSocket protocol is spoken here.', { 'Sec-WebSocket-Version': '13' }))
  if (!isAllowedOrigin(request, origins)) return refuse(problem(403, 'Pages of this origin may not connect; the server\'s list of allowed origins says which may.', {}, { code: 'forbidden' }))
  const offered = request.protocols.split(',').map((name) => name.trim()).filter((name) => name !== '')
  if (offered.length === 0) return { accepted: true, subprotocol: defaultSubprotocol, named: '' }
  const subprotocol = subprotocols.find((name) => offered.includes(name))
  if (subprotocol === undefined) return refuse(problem(400, `None of the subprotocols offered is known; these are: ${subprotocols.join(', ')}.`))
  return { accepted: true, subprotocol, named: subprotocol }
}

/** `origin` and `host` as the headers say; empty where absent. */
export function isAllowedOrigin({ origin, host }: Pick<HandshakeRequest, 'origin' | 'host'>, { allowed, onLoopback }: OriginPolicy): boolean {
  if (origin === '') return true
  if (allowed !== null) return allowed.includes('*') || allowed.includes(origin)
  if (!URL.canParse(origin)) return false
  const url = new URL(origin)
  return url.host === host.toLowerCase() && (!onLoopback || isLoopback(url.hostname))
}

/** `host` without a port; an IPv6 address with or without its brackets. */
export function isLoopback(host: string): boolean {
  const name = host.toLowerCase()
  return name === 'localhost' || name.endsWith('.localhost') || /^127(\.\d{1,3}){3}$/.test(name) || name === '::1' || name === '[::1]'
}
