/** The one place that reads credentials from the headers of a request or a handshake. */

export interface CredentialHeaders {
  /** Empty where absent. */
  readonly authorization: string
  /** X-API-Key; empty where absent. */
  readonly apiKey: string
}

const bearer = /^Bearer +([\x21-\x7e]+) *$/i

/**
 * The token that the headers show; undefined where they show none. Another scheme than Bearer is none, so that what a
 * browser adds by itself never counts. Where both headers show one and they differ it is the empty token, which nobody
 * has: which of them the client means is not ours to guess.
 */
export function tokenOf({ authorization, apiKey }: CredentialHeaders): string | undefined {
  const token = bearer.exec(authorization)?.[1]
  const key = apiKey.trim()
  if (token === undefined || key === '') return token ?? (key === '' ? undefined : key)
  return token === key ? token : ''
}
