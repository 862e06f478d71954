import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { lastLines, root, runCommand } from './run-command.mjs'
import { SetupError, step } from './steps.mjs'

const readPackages = (file) => JSON.parse(readFileSync(file, 'utf8')).packages

/** Installs what package-lock.json names, unless node_modules already holds exactly that. */
export async function install() {
  const wanted = readPackages(path.join(root, 'package-lock.json'))
  if (isInstalled(wanted)) return
  await step('Installing dependencies (about 800 MB, once)', (progress) => runNpmCi(wanted, progress))
}

/**
 * npm writes node_modules/.package-lock.json last, so an interrupted installation has none.
 * A folder copied from a machine of another kind names packages that are not for this one.
 */
function isInstalled(wanted) {
  const record = path.join(root, 'node_modules', '.package-lock.json')
  if (!existsSync(record)) return false
  const found = readPackages(record)
  for (const [name, there] of Object.entries(found)) {
    const lock = wanted[name]
    if (lock === undefined || lock.version !== there.version || lock.integrity !== there.integrity) return false
    if (!isForThisMachine(there)) return false
  }
  return Object.entries(wanted).every(([name, lock]) => name === '' || name in found || lock.optional === true)
}

const isForThisMachine = ({ os, cpu }) => admits(os, process.platform) && admits(cpu, process.arch)

/** npm's rule for `os` and `cpu`: names, or names after `!` for all but these. */
function admits(list, name) {
  if (list === undefined || list.includes(name)) return true
  return !list.includes(`!${name}`) && list.every((entry) => entry.startsWith('!'))
}

async function runNpmCi(wanted, progress) {
  const expected = Object.entries(wanted).filter(([name, lock]) => name !== '' && isForThisMachine(lock)).map(([name]) => name)
  const timer = setInterval(() => {
    const there = expected.filter((name) => existsSync(path.join(root, name, 'package.json'))).length
    progress(`${there} of ${expected.length} packages`)
  }, 1000)
  try {
    const [command, ...args] = npm()
    const { code, output } = await runCommand(command, [...args, 'ci', '--no-audit', '--no-fund'])
    if (code !== 0) throw new SetupError(`npm ci failed:\n${lastLines(output, 15)}`, adviceFor(output))
  } catch (error) {
    if (error.code !== 'ENOENT') throw error
    throw new SetupError('npm was not found.', 'install Node from https://nodejs.org (npm comes with it), then run the command again.')
  } finally {
    clearInterval(timer)
  }
}

/** npm as JavaScript, since Windows starts npm.cmd only through a shell. */
function npm() {
  const beside = path.dirname(process.execPath)
  const file = [
    process.env.npm_execpath ?? '',
    path.join(beside, 'node_modules', 'npm', 'bin', 'npm-cli.js'),
    path.join(beside, '..', 'lib', 'node_modules', 'npm', 'bin', 'npm-cli.js'),
  ].find((candidate) => path.basename(candidate) === 'npm-cli.js' && existsSync(candidate))
  return file === undefined ? ['npm'] : [process.execPath, file]
}

function adviceFor(output) {
  if (/ENOSPC/.test(output)) return 'free about 1.5 GB of disk space, then run the command again.'
  if (/EUSAGE/.test(output)) return 'package.json and package-lock.json disagree: run `npm install` and commit package-lock.json.'
  if (/EACCES|EPERM/.test(output)) return 'make this folder and ~/.npm writable for you (on Windows, stop programs that use node_modules), then run the command again.'
  if (/ENOTFOUND|EAI_AGAIN|ECONNRE|ETIMEDOUT|network/i.test(output)) return 'check the network (and `npm config get proxy` behind a proxy), then run the command again; it starts over cleanly.'
  return 'run the command again; if it fails in the same way, delete node_modules and see what `npm ci` says.'
}
