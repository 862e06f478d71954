import { homedir } from 'node:os'
import path from 'node:path'
import { exitCodes, StartupFault } from '../lifecycle/startup-fault.ts'
import { parseOption, type OptionValue } from './option.ts'
import { options, type OptionName } from './options.ts'

/** Every option by its name in the environment, validated. */
export type Config = { readonly [Name in OptionName]: OptionValue<(typeof options)[Name]> } & {
  readonly CHATTERBOT_DATA_DIR: string
  readonly CHATTERBOT_CACHE_DIR: string
}

export type Environment = Readonly<Record<string, string | undefined>>

const ours = 'CHATTERBOT_'

/**
 * Throws one StartupFault that lists every fault: values that do not fit, names of ours that do not exist, and what of
 * `required` is absent.
 */
export function readConfig(environment: Environment, { platform = process.platform, required = [] }: { readonly platform?: NodeJS.Platform; readonly required?: readonly OptionName[] } = {}): Config {
  const faults: string[] = []
  const values: Record<string, unknown> = {}
  for (const [name, definition] of Object.entries(options)) {
    const parsed = parseOption(definition, environment[name])
    if (parsed.ok) values[name] = parsed.value
    else faults.push(`${name}: ${parsed.fault}.`)
  }
  for (const name of Object.keys(environment).sort()) {
    if (name.startsWith(ours) && !Object.hasOwn(options, name)) faults.push(`${name}: there is no such option${suggestion(name)}.`)
  }
  for (const name of required) {
    if (isBlank(environment[name])) faults.push(`${name}: this process does nothing without it.`)
  }
  if (!isBlank(environment['NATS_URL']) && isBlank(environment['CHATTERBOT_NODE_ID'])) {
    faults.push('CHATTERBOT_NODE_ID: with NATS_URL there are several processes, and each needs a name of its own.')
  }
  if (faults.length > 0) {
    const list = faults.map((fault) => `  - ${fault}`).join('\n')
    throw new StartupFault(`The configuration has ${faults.length === 1 ? 'a fault' : `${faults.length} faults`}:\n${list}`, 'See docs/configuration.md for all options.', { exitCode: exitCodes.config })
  }
  const folders = userFolders(environment, platform)
  values['CHATTERBOT_DATA_DIR'] ??= folders.data
  values['CHATTERBOT_CACHE_DIR'] ??= folders.cache
  return Object.freeze(values) as Config
}

function isBlank(raw: string | undefined): boolean {
  return raw === undefined || raw.trim() === ''
}

/** Where programs keep data and caches of a user, by the customs of each system. */
function userFolders(environment: Environment, platform: NodeJS.Platform): { readonly data: string; readonly cache: string } {
  const home = absolute(environment['HOME']) ?? homedir()
  const name = 'chatterbot'
  if (platform === 'win32') {
    const local = absolute(environment['LOCALAPPDATA']) ?? path.join(home, 'AppData', 'Local')
    return { data: path.join(local, name, 'data'), cache: path.join(local, name, 'cache') }
  }
  if (platform === 'darwin') return { data: path.join(home, 'Library', 'Application Support', name), cache: path.join(home, 'Library', 'Caches', name) }
  return {
    data: path.join(absolute(environment['XDG_DATA_HOME']) ?? path.join(home, '.local', 'share'), name),
    cache: path.join(absolute(environment['XDG_CACHE_HOME']) ?? path.join(home, '.cache'), name),
  }
}

/** The XDG specification has relative paths ignored, and empty ones. */
function absolute(folder: string | undefined): string | undefined {
  return folder !== undefined && path.isAbsolute(folder) ? folder : undefined
}

function suggestion(name: string): string {
  const [nearest] = Object.keys(options)
    .map((known) => ({ known, distance: editDistance(name, known) }))
    .sort((a, b) => a.distance - b.distance)
  return nearest !== undefined && nearest.distance <= 4 ? `; did you mean ${nearest.known}` : ''
}

/** Levenshtein's. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, n) => n)
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i]
    for (let j = 1; j <= b.length; j += 1) {
      next.push(Math.min((next[j - 1] ?? 0) + 1, (row[j] ?? 0) + 1, (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)))
    }
    row = next
  }
  return row[b.length] ?? 0
}
