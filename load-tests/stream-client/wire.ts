/** TCP that costs little, as the client shares the machine with what it measures. */
import { once } from 'node:events'
import net from 'node:net'
import tls from 'node:tls'

export interface Server {
  readonly host: string
  readonly port: number
  /** By TLS. */
  readonly isSecure: boolean
  /** Sent where the server wants to know who asks; null: nothing is. */
  readonly apiKey: string | null
}

export function loopback(port: number): Server {
  return { host: '127.0.0.1', port, isSecure: false, apiKey: null }
}

/** Every socket is read into it, one after the other: bytes stand only until whoever is handed them returns. */
const shared = Buffer.allocUnsafe(64 * 1024)

/** Hands on all that comes. Rejects where there is nobody; later errors close the socket, and nothing else tells of them. */
export async function connect({ host, port, isSecure }: Server, onBytes: (bytes: Buffer) => void): Promise<net.Socket> {
  const socket = isSecure
    ? tls.connect({ host, port, servername: net.isIP(host) === 0 ? host : '' }).on('data', onBytes).setNoDelay(true)
    : net.connect({
        host,
        port,
        noDelay: true,
        onread: {
          buffer: shared,
          callback: (length) => {
            onBytes(shared.subarray(0, length))
            return true
          },
        },
      })
  await once(socket, isSecure ? 'secureConnect' : 'connect')
  socket.on('error', () => undefined)
  return socket
}
