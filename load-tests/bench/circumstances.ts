/** Where and when figures are measured: what else the machine did weighs on them. */
import { execFileSync } from 'node:child_process'
import os from 'node:os'
import { setTimeout as delay } from 'node:timers/promises'
import { repositoryPath } from '../../protocol/docs/repository.ts'
import type { Circumstances } from './result.ts'

const watchedMs = 1_000

/** To be asked before the work; what comes back is asked after it. */
export async function circumstances(): Promise<() => Circumstances> {
  const at = new Date().toISOString()
  const busyBefore = await busyShare()
  const began = performance.now()
  return () => ({
    at,
    tookS: Math.round((performance.now() - began) / 1000),
    commit: commit(),
    cores: os.availableParallelism(),
    cpu: os.cpus()[0]?.model.trim() ?? 'unknown',
    memoryGiB: Math.round(os.totalmem() / 2 ** 30),
    kernel: `${os.type()} ${os.release()}`,
    node: process.version,
    busyBefore,
  })
}

/** Of all cores, during a second, from 0 to 1: what is at work besides this process, which waits. */
export async function busyShare(): Promise<number> {
  const before = coreTimes()
  await delay(watchedMs)
  const after = coreTimes()
  const [idle, all] = [after.idle - before.idle, after.all - before.all]
  return all === 0 ? 0 : Math.round((1 - idle / all) * 100) / 100
}

function coreTimes(): { readonly idle: number; readonly all: number } {
  const times = os.cpus().map((each) => each.times)
  const sum = (of: readonly number[]): number => of.reduce((total, each) => total + each, 0)
  return { idle: sum(times.map(({ idle }) => idle)), all: sum(times.flatMap((each) => Object.values(each))) }
}

/** What was measured; `changed` where files are not as they were committed, besides the pages that are written meanwhile. */
function commit(): string {
  const git = (...args: string[]): string => execFileSync('git', args, { cwd: repositoryPath('.'), encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim()
  try {
    return `${git('rev-parse', '--short', 'HEAD')}${git('status', '--porcelain', '--untracked-files=no', '--', '.', ':!docs', ':!README.md') === '' ? '' : ', changed'}`
  } catch {
    return 'unknown'
  }
}
