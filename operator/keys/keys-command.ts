/** The operator's command for API keys. */
import { writeApiKey } from '../../protocol/api-key.ts'
import { hashOfSecret, newApiKeyId, newApiKeySecret } from '../../storage/api-key-secret.ts'
import type { ApiKey, CredentialStore } from '../../storage/credential-store.ts'
import type { KeysCommand } from './command-line.ts'
import { holds, keyFields, keysTable } from './keys-as-text.ts'

export interface KeysCommandOptions {
  readonly credentials: CredentialStore
  readonly now: () => number
  /** Standard output, and standard error. */
  readonly print: (text: string) => void
  readonly complain: (text: string) => void
}

type Doing = Exclude<KeysCommand, { type: 'help' }>

const pageSize = 500

/** Resolves with the exit code. Rejects with ChatError `unavailable` where the database cannot be reached. */
export async function runKeys(command: Doing, options: KeysCommandOptions): Promise<number> {
  const { credentials, print, complain } = options
  switch (command.type) {
    case 'create':
      return create(command, options)
    case 'list':
      return list(command, options)
    case 'rotate': {
      const secret = newApiKeySecret()
      const key = await credentials.rotateApiKey(command.id, hashOfSecret(secret), command.overlapMs)
      if (key === null) return missing(command.id, complain)
      const until = key.previous === null ? '' : ` The secret of before holds until ${new Date(key.previous.until).toISOString()}.`
      return tell(key, secret, command.json, `New secret of key ${key.id} (${key.name}).${until}`, print)
    }
    case 'revoke': {
      const key = await credentials.revokeApiKey(command.id)
      if (key === null) return missing(command.id, complain)
      print(command.json ? line(keyFields(key)) : `Revoked key ${key.id} (${key.name}). Servers refuse it within 10 s, and close its connections.\n`)
      return 0
    }
  }
}

async function create(command: Extract<Doing, { type: 'create' }>, { credentials, now, print }: KeysCommandOptions): Promise<number> {
  const secret = newApiKeySecret()
  const { name, userId, actsForOthers, permissions, plan, expiresInMs } = command
  const key = await credentials.createApiKey({
    id: newApiKeyId(),
    name,
    userId,
    actsForOthers,
    permissions,
    plan,
    expiresAt: expiresInMs === null ? null : now() + expiresInMs,
    secretHash: hashOfSecret(secret),
  })
  const whose = userId === null ? 'for whichever user a request names' : `of user ${userId}${actsForOthers ? ', who may act for others' : ''}`
  return tell(key, secret, command.json, `New key ${key.id} (${key.name}), ${whose}, with ${permissions.join(', ')}.`, print)
}

async function list({ json, all }: Extract<Doing, { type: 'list' }>, { credentials, now, print }: KeysCommandOptions): Promise<number> {
  const shown: ApiKey[] = []
  for (let before: ApiKey | null = null; ; ) {
    const page: readonly ApiKey[] = await credentials.listApiKeys({ before, limit: pageSize })
    shown.push(...page.filter((key) => all || holds(key, now())))
    before = page.at(-1) ?? null
    if (page.length < pageSize) break
  }
  if (json) for (const key of shown) print(line(keyFields(key)))
  else print(shown.length === 0 ? 'There are no keys.\n' : keysTable(shown, now()))
  return 0
}

/** The only time that anybody sees the secret. */
function tell(key: ApiKey, secret: string, json: boolean, text: string, print: (text: string) => void): number {
  const token = writeApiKey({ id: key.id, secret })
  print(json ? line({ ...keyFields(key), key: token }) : `${text}\nKeep it safe: it is not shown again.\n\n${token}\n`)
  return 0
}

function missing(id: string, complain: (text: string) => void): number {
  complain(`There is no key ${id} that is not revoked.\n`)
  return 1
}

function line(fields: object): string {
  return `${JSON.stringify(fields)}\n`
}
