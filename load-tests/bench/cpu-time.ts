/** CPU time and memory of processes, from /proc: Linux only. */
import { readFileSync, readdirSync } from 'node:fs'

/** CPU seconds, user and system, of a process and of its children that live. */
export function cpuSeconds(pid: number): number {
  return [pid, ...childrenOf(pid)].reduce((sum, id) => sum + ownSeconds(id), 0)
}

/** Resident. */
export function memoryMiB(pid: number): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) / 1024
}

/** Of its threads that live, as the scheduler counts them: to the nanosecond, where /proc/<pid>/stat has hundredths of a second. */
function ownSeconds(pid: number): number {
  return readdirSync(`/proc/${pid}/task`).reduce((sum, thread) => sum + threadNanoseconds(pid, Number(thread)), 0) / 1e9
}

function threadNanoseconds(pid: number, thread: number): number {
  try {
    return Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ')[0])
  } catch (error) {
    // Others may end while they are looked at; the first lives as long as its process.
    if (thread === pid) throw error
    return 0
  }
}

function childrenOf(pid: number): number[] {
  return readdirSync(`/proc/${pid}/task`).flatMap((task) => readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8').split(' ').filter(Boolean).map(Number))
}
