import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

export const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)))

const maxKept = 64 * 1024

/**
 * Runs a program to its end without standard input.
 * Resolves with { code, output }: the exit code (128 when a signal ended it) and the last 64 KiB of
 * its standard output and error.
 * Rejects when the program cannot be started.
 */
export function runCommand(command, args) {
  return new Promise((resolve, reject) => {
    // Some tools colour their output in CI, even into a pipe.
    const env = { ...process.env, NO_COLOR: '1', FORCE_COLOR: undefined }
    const child = spawn(command, args, { cwd: root, env, stdio: ['ignore', 'pipe', 'pipe'] })
    let output = ''
    const keep = (chunk) => { output = (output + chunk).slice(-maxKept) }
    child.stdout.setEncoding('utf8').on('data', keep)
    child.stderr.setEncoding('utf8').on('data', keep)
    child.on('error', reject)
    child.on('close', (code) => resolve({ code: code ?? 128, output }))
  })
}

/** The JavaScript file behind a dependency's command, to be run with this very Node. */
export function commandOf(packageName, command = packageName) {
  const folder = path.join(root, 'node_modules', packageName)
  const { bin } = JSON.parse(readFileSync(path.join(folder, 'package.json'), 'utf8'))
  return path.join(folder, typeof bin === 'string' ? bin : bin[command])
}

export function lastLines(text, count) {
  return text.trimEnd().split('\n').slice(-count).join('\n')
}
