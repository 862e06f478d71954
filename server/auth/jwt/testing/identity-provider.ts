/** An identity provider: a key set on a real port that can rotate, stall and break, and tokens signed by its keys. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { exportJWK, generateKeyPair, SignJWT, type JWK, type JWTPayload } from 'jose'

interface TestContext {
  teardown(handler: () => unknown): unknown
}

type Asymmetric = 'RS256' | 'ES256'

export interface ProviderKey {
  readonly kid: string
  readonly algorithm: Asymmetric
  readonly jwk: JWK
  /** Seconds since the epoch in `claims`, as in tokens. */
  sign(claims: JWTPayload, header?: Record<string, unknown>): Promise<string>
}

export interface IdentityProvider {
  readonly url: URL
  /** Requests for the key set so far. */
  readonly fetches: () => number
  /** What it answers with from now on. */
  serve(...keys: readonly ProviderKey[]): void
  answer(status: number, body: string): void
}

export async function newProviderKey(kid: string, algorithm: Asymmetric): Promise<ProviderKey> {
  const { privateKey, publicKey } = await generateKeyPair(algorithm, { extractable: true })
  return {
    kid,
    algorithm,
    jwk: { ...(await exportJWK(publicKey)), kid, alg: algorithm, use: 'sig' },
    sign: (claims, header = {}) => new SignJWT(claims).setProtectedHeader({ alg: algorithm, kid, ...header }).sign(privateKey),
  }
}

export async function startIdentityProvider(t: TestContext): Promise<IdentityProvider> {
  let fetches = 0
  let answer = { status: 200, body: '{"keys":[]}' }
  const server = createServer((_, response) => {
    fetches += 1
    response.writeHead(answer.status, { 'Content-Type': 'application/json' }).end(answer.body)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    server.closeAllConnections()
    return new Promise((resolve) => server.close(resolve))
  })
  return {
    url: new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/keys`),
    fetches: () => fetches,
    serve: (...keys) => {
      answer = { status: 200, body: JSON.stringify({ keys: keys.map(({ jwk }) => jwk) }) }
    },
    answer: (status, body) => {
      answer = { status, body }
    },
  }
}
