/** The servers that ChatterBot stands on, wherever the three platforms put them. */
import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import path from 'node:path'

const oldestPostgres = 15
const oldestRedis = 7

export interface PostgresPrograms {
  readonly initdb: string
  readonly postgres: string
}

/** The newest Postgres of at least version 15 on this machine. */
export function findPostgres(): PostgresPrograms | undefined {
  const folders = [
    ...pathFolders(),
    ...versionFolders('/usr/lib/postgresql'),
    ...versionFolders('/usr/local/pgsql'),
    ...brewFolders('/opt/homebrew/opt'),
    ...brewFolders('/usr/local/opt'),
    ...versionFolders('/Applications/Postgres.app/Contents/Versions'),
    ...versionFolders(path.join(process.env['ProgramFiles'] ?? 'C:\\Program Files', 'PostgreSQL'))
  ]
  const found = folders
    .map((folder) => ({ initdb: path.join(folder, executable('initdb')), postgres: path.join(folder, executable('postgres')) }))
    .filter(({ initdb, postgres }) => existsSync(initdb) && existsSync(postgres))
    .map((programs) => ({ programs, version: majorVersion(programs.postgres) }))
    .filter(({ version }) => version >= oldestPostgres)
    .sort((a, b) => b.version - a.version)
  return found[0]?.programs
}

/** A Redis of at least version 7, from PATH. */
export function findRedisServer(): string | undefined {
  return pathFolders()
    .map((folder) => path.join(folder, executable('redis-server')))
    .find((file) => existsSync(file) && majorVersion(file) >= oldestRedis)
}

export function executable(name: string): string {
  return process.platform === 'win32' ? `${name}.exe` : name
}

export function pathFolders(): string[] {
  return (process.env['PATH'] ?? '').split(path.delimiter).filter((folder) => folder !== '')
}

function versionFolders(parent: string): string[] {
  return existsSync(parent) ? readdirSync(parent).map((version) => path.join(parent, version, 'bin')) : []
}

function brewFolders(parent: string): string[] {
  if (!existsSync(parent)) return []
  return readdirSync(parent).filter((name) => name.startsWith('postgresql')).map((name) => path.join(parent, name, 'bin'))
}

/** 0 when the program does not run here. */
function majorVersion(program: string): number {
  try {
    const [, major = '0'] = /(\d+)/.exec(execFileSync(program, ['--version'], { encoding: 'utf8' })) ?? []
    return Number(major)
  } catch {
    return 0
  }
}
