import { existsSync, readFileSync } from 'node:fs'
import { lastLines, runCommand } from './run-command.mjs'
import { SetupError, step } from './steps.mjs'

/** 'debian', 'ubuntu' or '' for every other system. */
export function distribution() {
  if (process.platform !== 'linux' || !existsSync('/etc/os-release')) return ''
  const [, id] = /^ID="?([a-z]+)/m.exec(readFileSync('/etc/os-release', 'utf8')) ?? []
  return id === 'debian' || id === 'ubuntu' ? id : ''
}

/** Installs Debian packages where nobody has to be asked for leave: as root, and in CI with sudo. Resolves with whether it could. */
export async function aptInstall(packages) {
  const prefix = await privilege()
  if (distribution() === '' || prefix === undefined || packages.length === 0) return false
  const apt = async (...args) => {
    const [command, ...rest] = [...prefix, 'env', 'DEBIAN_FRONTEND=noninteractive', 'apt-get', ...args]
    const { code, output } = await runCommand(command, rest)
    if (code !== 0) throw new SetupError(`apt-get ${args[0]} failed:\n${lastLines(output, 15)}`, `mend what apt-get names above, or install by hand: apt-get install ${packages.join(' ')}`)
  }
  await step(`Installing ${packages.join(', ')}`, async (progress) => {
    progress('reading package lists')
    await apt('update')
    progress('unpacking')
    await apt('install', '-y', '--no-install-recommends', ...packages)
  })
  return true
}

/** What to put before a command that root must run; undefined when a person would have to be asked. */
async function privilege() {
  if (process.getuid?.() === 0) return []
  if (!process.env.CI) return undefined
  const sudo = await runCommand('sudo', ['-n', 'true']).catch(() => ({ code: 1 }))
  return sudo.code === 0 ? ['sudo', '-n'] : undefined
}
