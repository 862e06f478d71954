/** What the command line of `npm run keys` says. */
import { permissions, type Permission } from '../../protocol/permissions.ts'
import { isName } from '../../protocol/text.ts'
import { limits } from '../../protocol/websocket/limits.ts'
import { parseCommandLine, UsageFault } from '../command-line.ts'
import { durationOf } from '../text-tables.ts'

/** Everything but what is for operators. */
const usualPermissions: readonly Permission[] = permissions.filter((permission) => permission !== 'operations:read')
const usualOverlap = '24h'

export const usage = `API keys: who may use the server, for mode api-key of CHATTERBOT_AUTH.

  npm run keys -- create --name NAME --user USER_ID     a key of this user
  npm run keys -- create --name NAME --acts-for-others  a key that names the user of each request
      --permissions A,B   of ${permissions.join(', ')};
                          unless given: ${usualPermissions.join(', ')}
      --plan PLAN         its limits; unless given: default
      --expires 90d       unless given: never
  npm run keys -- list [--all]                          those that hold, or revoked and expired ones as well
  npm run keys -- rotate KEY_ID [--overlap ${usualOverlap}]       a new secret; the old one holds that much longer
  npm run keys -- revoke KEY_ID                         it opens nothing any more, within 10 s

  --json   JSON, a line a key

A key is printed once, when it is created or rotated. The database is that of DATABASE_URL, or else the one in the data
folder (CHATTERBOT_DATA_DIR), which a server that runs on it keeps to itself: stop it first.
Exit codes: 0 done, 1 not found, 64 not understood, 69 nobody answers, 78 configuration.
`

export type KeysCommand =
  | { readonly type: 'help' }
  | {
      readonly type: 'create'
      readonly json: boolean
      readonly name: string
      readonly userId: string | null
      readonly actsForOthers: boolean
      readonly permissions: readonly Permission[]
      readonly plan: string
      readonly expiresInMs: number | null
    }
  | { readonly type: 'list'; readonly json: boolean; readonly all: boolean }
  | { readonly type: 'rotate'; readonly json: boolean; readonly id: string; readonly overlapMs: number }
  | { readonly type: 'revoke'; readonly json: boolean; readonly id: string }

const options = {
  json: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
  name: { type: 'string' },
  user: { type: 'string' },
  'acts-for-others': { type: 'boolean' },
  permissions: { type: 'string' },
  plan: { type: 'string' },
  expires: { type: 'string' },
  all: { type: 'boolean' },
  overlap: { type: 'string' },
} as const

type Values = ReturnType<typeof parseCommandLine<typeof options>>['values']

/** Which options a command takes besides --json and --help. */
const taken = {
  create: ['name', 'user', 'acts-for-others', 'permissions', 'plan', 'expires'],
  list: ['all'],
  rotate: ['overlap'],
  revoke: [],
} as const satisfies Record<Exclude<KeysCommand['type'], 'help'>, readonly (keyof Values)[]>

/** Throws UsageFault. */
export function readKeysCommand(args: readonly string[]): KeysCommand {
  const { values, positionals } = parseCommandLine(args, options)
  const [name, ...operands] = positionals
  if (values.help === true || name === 'help') return { type: 'help' }
  if (name === undefined) throw new UsageFault('No command.')
  if (!isCommand(name)) throw new UsageFault(`There is no command ${JSON.stringify(name.slice(0, 100))}.`)
  const foreign = Object.keys(values).find((option) => option !== 'json' && !(taken[name] as readonly string[]).includes(option))
  if (foreign !== undefined) throw new UsageFault(`${name} takes no --${foreign}.`)
  const json = values.json ?? false
  switch (name) {
    case 'create':
      return { type: name, json, ...newKey(values, operands) }
    case 'list':
      if (operands.length > 0) throw new UsageFault('list takes no id.')
      return { type: name, json, all: values.all ?? false }
    case 'rotate':
      return { type: name, json, id: keyId(name, operands), overlapMs: duration('--overlap', values.overlap ?? usualOverlap) }
    case 'revoke':
      return { type: name, json, id: keyId(name, operands) }
  }
}

function isCommand(name: string): name is keyof typeof taken {
  return Object.hasOwn(taken, name)
}

function newKey(values: Values, operands: readonly string[]) {
  const { name, user, plan = 'default' } = values
  const actsForOthers = values['acts-for-others'] ?? false
  if (operands.length > 0) throw new UsageFault('create takes options only.')
  if (name === undefined || !isName(name, limits.titleLength)) throw new UsageFault(`create takes --name, of 1 to ${limits.titleLength} characters.`)
  if (user === undefined && !actsForOthers) throw new UsageFault('create takes --user, or --acts-for-others, or both.')
  if (user !== undefined && !isName(user, limits.userIdLength)) throw new UsageFault(`--user takes 1 to ${limits.userIdLength} characters.`)
  if (!/^[A-Za-z0-9_-]{1,64}$/.test(plan)) throw new UsageFault('--plan takes letters, digits, - and _.')
  return {
    name,
    userId: user ?? null,
    actsForOthers,
    permissions: values.permissions === undefined ? usualPermissions : permissionsIn(values.permissions),
    plan,
    expiresInMs: values.expires === undefined ? null : duration('--expires', values.expires),
  }
}

function permissionsIn(text: string): readonly Permission[] {
  const named = text.split(',').map((each) => each.trim())
  const unknown = named.find((each) => !(permissions as readonly string[]).includes(each))
  if (unknown !== undefined) throw new UsageFault(`There is no permission ${JSON.stringify(unknown.slice(0, 100))}; these are: ${permissions.join(', ')}.`)
  return permissions.filter((permission) => named.includes(permission))
}

function keyId(command: string, [id, ...more]: readonly string[]): string {
  if (id === undefined || more.length > 0) throw new UsageFault(`${command} takes one id.`)
  if (!/^[0-9a-z]{12}$/.test(id)) throw new UsageFault('That is no id of a key: it is the 12 letters and digits between cb_ and the secret.')
  return id
}

function duration(name: string, text: string): number {
  const ms = durationOf(text)
  if (ms === null) throw new UsageFault(`${name} takes a time such as 90d, 24h, 30min or 0s.`)
  return ms
}
