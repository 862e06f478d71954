import type { ConnectionOptions } from '@nats-io/transport-node'

const defaultPort = 4222

/** `nats:` and `tls:` URLs of one cluster. Credentials are those of the first URL that has any; a user alone is a token. */
export function connectionOptions(urls: readonly string[], name: string): ConnectionOptions {
  const parsed = urls.map((url) => new URL(url))
  const withUser = parsed.find(({ username }) => username !== '')
  const user = decodeURIComponent(withUser?.username ?? '')
  const pass = decodeURIComponent(withUser?.password ?? '')
  const credentials = user === '' ? {} : pass === '' ? { token: user } : { user, pass }
  return {
    name,
    servers: serverNames(urls),
    ...credentials,
    ...(parsed.some(({ protocol }) => protocol === 'tls:') ? { tls: {} } : {}),
    timeout: 5_000,
    // For ever, whatever the server says meanwhile: whoever has mended it must not have to restart us.
    maxReconnectAttempts: -1,
    ignoreAuthErrorAbort: true,
    reconnectDelayHandler: () => 250 + Math.random() * 500,
    // A server that is halted, or beyond a dead link, is noticed within 15 s.
    pingInterval: 5_000,
    maxPingOut: 2,
    // A stack for every request costs more than the request.
    noAsyncTraces: true,
  }
}

/** Without credentials, for people. */
export function serverNames(urls: readonly string[]): string[] {
  return urls.map((url) => {
    const { hostname, port } = new URL(url)
    return `${hostname}:${port === '' ? defaultPort : port}`
  })
}
