/** A benchmark as a process of its own: what one does to its heap or its children is no other's affair. */
import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { repositoryPath } from '../../../protocol/docs/repository.ts'
import type { Result } from '../result.ts'

/** Setting up a peer for the first time takes minutes. */
const deadlineMs = 20 * 60_000
const graceMs = 10_000
const keptLines = 40

/** `say` is given each line of its progress. Rejects with the last lines of what it said where it fails or takes too long. */
export async function runOne(name: string, args: readonly string[], say: (line: string) => void): Promise<Result> {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'chatterbot-bench-'))
  const file = path.join(folder, 'result.json')
  try {
    const child = spawn(process.execPath, ['--enable-source-maps', repositoryPath(`dist/load-tests/bench/${name}.bench.js`), ...args, '--json', file], { stdio: ['ignore', 'ignore', 'pipe'] })
    const said: string[] = []
    createInterface({ input: child.stderr }).on('line', (line) => {
      said.push(line)
      if (said.length > keptLines) said.shift()
      say(line)
    })
    // Its own children are ended by its watchdog, however it ends.
    const timers = [setTimeout(() => child.kill(), deadlineMs), setTimeout(() => child.kill('SIGKILL'), deadlineMs + graceMs)]
    const ended = await new Promise<number | NodeJS.Signals>((resolve, reject) => {
      child.once('error', reject)
      child.once('close', (code, signal) => resolve(signal ?? code ?? 1))
    })
    for (const timer of timers) clearTimeout(timer)
    if (ended !== 0) throw new Error(typeof ended === 'string' ? `ended by ${ended}` : fromTheError(said).join('\n'))
    return JSON.parse(readFileSync(file, 'utf8')) as Result
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Without the progress before it. */
function fromTheError(lines: readonly string[]): readonly string[] {
  return lines.slice(Math.max(0, lines.findIndex((line) => /^\w*Error\b/.test(line))))
}
