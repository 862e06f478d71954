/** How an API key is written: `cb_<id>_<secret>`. The id may be shown and logged, the secret never. */

/** An id of 12 letters and digits, and a secret of 256 bits as 64 hexadecimal digits: nothing that needs escaping anywhere, and all of it is marked by a double click. */
const pattern = /^cb_([0-9a-z]{12})_([0-9a-f]{64})$/

export interface ApiKeyParts {
  readonly id: string
  readonly secret: string
}

/** Null where the token is none. */
export function readApiKey(token: string): ApiKeyParts | null {
  const [, id, secret] = pattern.exec(token) ?? []
  return id === undefined || secret === undefined ? null : { id, secret }
}

export function writeApiKey({ id, secret }: ApiKeyParts): string {
  return `cb_${id}_${secret}`
}

/** Whether the token is meant to be an API key: those of identity providers begin otherwise. */
export function isLikeApiKey(token: string): boolean {
  return token.startsWith('cb_')
}
