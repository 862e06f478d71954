/** What is accepted as a token of the identity provider, from the configuration, checked as a whole. */
import { createPublicKey, type KeyObject } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { permissions, type Permission } from '../../../protocol/permissions.ts'
import type { Config } from '../../../platform/config/config.ts'
import { exitCodes, StartupFault } from '../../../platform/lifecycle/startup-fault.ts'
import { isLoopback } from '../../websocket/handshake.ts'

export type Algorithm = 'HS256' | 'RS256' | 'ES256'

export interface Role {
  readonly permissions: readonly Permission[]
  readonly actsForOthers: boolean
}

export interface JwtSettings {
  readonly keys: { readonly type: 'secret'; readonly secret: Uint8Array } | { readonly type: 'public key'; readonly key: KeyObject } | { readonly type: 'key set'; readonly url: URL }
  readonly algorithms: readonly Algorithm[]
  readonly issuer: string
  readonly audience: string
  readonly skewS: number
  readonly userClaim: string
  readonly planClaim: string
  readonly rolesClaim: string
  readonly roles: ReadonlyMap<string, Role>
}

/** As long as what it signs with: a shorter one can be guessed offline by whoever has a token. */
const secretBytes = 32
const rsaBits = 2048
const algorithms: readonly Algorithm[] = ['HS256', 'RS256', 'ES256']

/** Throws StartupFault. */
export function jwtSettings(config: Config): JwtSettings {
  const { keys, possible } = keySource(config)
  const listed = config.CHATTERBOT_JWT_ALGORITHMS?.split(',').map((each) => each.trim()) ?? possible
  const unknown = listed.find((name) => !(possible as readonly string[]).includes(name))
  if (unknown !== undefined) throw fault(`CHATTERBOT_JWT_ALGORITHMS names ${unknown}, which does not go with this kind of key.`, `Of ${algorithms.join(', ')} choose from: ${possible.join(', ')}.`)
  const { CHATTERBOT_JWT_ISSUER: issuer, CHATTERBOT_JWT_AUDIENCE: audience } = config
  if (issuer === null || audience === null) {
    throw fault('CHATTERBOT_AUTH=jwt needs CHATTERBOT_JWT_ISSUER and CHATTERBOT_JWT_AUDIENCE.', 'Set both: without them, tokens that were made for other services would open this one too.')
  }
  return {
    keys,
    algorithms: algorithms.filter((name) => listed.includes(name)),
    issuer,
    audience,
    skewS: config.CHATTERBOT_JWT_CLOCK_SKEW_SECONDS,
    userClaim: config.CHATTERBOT_JWT_USER_CLAIM,
    planClaim: config.CHATTERBOT_JWT_PLAN_CLAIM,
    rolesClaim: config.CHATTERBOT_JWT_ROLES_CLAIM,
    roles: rolesIn(config.CHATTERBOT_JWT_ROLES),
  }
}

function keySource(config: Config): { readonly keys: JwtSettings['keys']; readonly possible: readonly Algorithm[] } {
  const { CHATTERBOT_JWT_SECRET: secret, CHATTERBOT_JWT_PUBLIC_KEY_FILE: file, CHATTERBOT_JWT_JWKS_URL: url } = config
  if ([secret, file, url].filter((each) => each !== null).length !== 1) {
    throw fault('CHATTERBOT_AUTH=jwt needs exactly one of CHATTERBOT_JWT_SECRET, CHATTERBOT_JWT_PUBLIC_KEY_FILE and CHATTERBOT_JWT_JWKS_URL.', 'Set the one that your identity provider has.')
  }
  if (secret !== null) {
    const bytes = Buffer.from(secret)
    if (bytes.length < secretBytes) throw fault(`CHATTERBOT_JWT_SECRET is shorter than ${secretBytes} bytes.`, 'Draw one: openssl rand -hex 32')
    return { keys: { type: 'secret', secret: bytes }, possible: ['HS256'] }
  }
  if (file !== null) return publicKeyIn(file)
  const parsed = new URL(url as string)
  if (parsed.protocol !== 'https:' && !isLoopback(parsed.hostname)) throw fault('CHATTERBOT_JWT_JWKS_URL is not https, so that whoever is on the way could make keys of their own.', 'Use an https URL.')
  return { keys: { type: 'key set', url: parsed }, possible: ['RS256', 'ES256'] }
}

function publicKeyIn(file: string): ReturnType<typeof keySource> {
  let key: KeyObject
  try {
    const pem = readFileSync(file, 'utf8')
    // createPublicKey would derive one from it, and the secret would lie about where it need not.
    if (pem.includes('PRIVATE KEY')) throw new Error('it is a private key, which does not belong here')
    key = createPublicKey(pem)
  } catch (error) {
    throw fault(`CHATTERBOT_JWT_PUBLIC_KEY_FILE cannot be read: ${(error as Error).message}.`, 'Name a file with a public key in PEM (BEGIN PUBLIC KEY).')
  }
  const { asymmetricKeyType: kind, asymmetricKeyDetails: details } = key
  if (kind === 'rsa' && (details?.modulusLength ?? 0) >= rsaBits) return { keys: { type: 'public key', key }, possible: ['RS256'] }
  if (kind === 'ec' && details?.namedCurve === 'prime256v1') return { keys: { type: 'public key', key }, possible: ['ES256'] }
  throw fault('CHATTERBOT_JWT_PUBLIC_KEY_FILE holds a key of another kind.', `Use one of RSA with ${rsaBits} bits or more, or of the curve P-256.`)
}

const actsForOthers = 'acts-for-others'

/** `name=permission,permission;name=...`, where `*` is every permission. */
function rolesIn(text: string): ReadonlyMap<string, Role> {
  const roles = new Map<string, Role>()
  for (const entry of text.split(';').map((each) => each.trim()).filter((each) => each !== '')) {
    const [, name, list] = /^([^=\s]+)\s*=\s*(.*)$/.exec(entry) ?? []
    const granted = list?.split(',').map((each) => each.trim()).filter((each) => each !== '') ?? []
    const unknown = granted.find((each) => each !== '*' && each !== actsForOthers && !(permissions as readonly string[]).includes(each))
    if (name === undefined || unknown !== undefined) {
      throw fault(`CHATTERBOT_JWT_ROLES: ${unknown === undefined ? `${JSON.stringify(entry)} is no role` : `there is no permission ${JSON.stringify(unknown)}`}.`, `Write role=permission,permission;role=… with ${permissions.join(', ')}, * or ${actsForOthers}.`)
    }
    roles.set(name, { permissions: granted.includes('*') ? permissions : permissions.filter((each) => granted.includes(each)), actsForOthers: granted.includes(actsForOthers) })
  }
  return roles
}

function fault(message: string, hint: string): StartupFault {
  return new StartupFault(message, hint, { exitCode: exitCodes.config })
}
