/** CPU time and memory of processes, from /proc: Linux only. */
import { readFileSync, readdirSync } from 'node:fs'

/** USER_HZ, which is the same on all of Linux that Node runs on. */
const ticksPerSecond = 100

/** CPU seconds, user and system, of a process and of its children: of those that have ended, too, or it would fall as they end. */
export function cpuSeconds(pid: number): number {
  for (;;) {
    const ended = endedChildrenSeconds(pid)
    const seconds = childrenOf(pid).map(childSeconds)
    // Of one that ended in between, nothing was counted, or all of it twice.
    if (seconds.every((each) => each !== undefined) && endedChildrenSeconds(pid) === ended) return seconds.reduce((sum, each) => sum + each, ended + ownSeconds(pid))
  }
}

/** Undefined: it has ended. */
function childSeconds(pid: number): number | undefined {
  try {
    return ownSeconds(pid)
  } catch {
    return undefined
  }
}

/** Resident. */
export function memoryMiB(pid: number): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) / 1024
}

/** CPU seconds of a process without its children. Of its threads that live, as the scheduler counts them: to the nanosecond, where /proc/<pid>/stat has hundredths of a second. */
export function ownSeconds(pid: number): number {
  return threadSeconds(pid, 0)
}

/** Seconds in which threads of a process, its children not among them, could have run and had no core to run on. */
export function coreWaitSeconds(pid: number): number {
  return threadSeconds(pid, 1)
}

/** `field`: of schedstat; 0: on a core, 1: waiting for one. */
function threadSeconds(pid: number, field: 0 | 1): number {
  return readdirSync(`/proc/${pid}/task`).reduce((sum, thread) => sum + threadNanoseconds(pid, Number(thread), field), 0) / 1e9
}

function threadNanoseconds(pid: number, thread: number, field: 0 | 1): number {
  try {
    return Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ')[field])
  } catch (error) {
    // Others may end while they are looked at; the first lives as long as its process.
    if (thread === pid) throw error
    return 0
  }
}

/** To a hundredth of a second. */
function endedChildrenSeconds(pid: number): number {
  // The name, in brackets, may have spaces; cutime and cstime of proc_pid_stat(5) are fields 16 and 17, of which the name is the second.
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)?.split(' ') ?? []
  return (Number(fields[13]) + Number(fields[14])) / ticksPerSecond
}

function childrenOf(pid: number): number[] {
  return readdirSync(`/proc/${pid}/task`).flatMap((task) => readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8').split(' ').filter(Boolean).map(Number))
}
