/** `npm run streams`: many connections to a running server, some of which stream at a time, and what that takes. */
import { cpuSeconds, memoryMiB } from '../bench/cpu-time.ts'
import { readArguments, usage, type Arguments } from './arguments.ts'
import { openSessions } from './open-sessions.ts'
import { reportOf, type Taken } from './report.ts'
import { talk } from './talk.ts'

const usageFault = 64

try {
  const asked = readArguments(process.argv.slice(2))
  if (asked === 'help') process.stdout.write(`${usage}\n`)
  else process.exitCode = await run(asked)
} catch (error) {
  const isUsage = error instanceof RangeError || error instanceof TypeError
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n${isUsage ? `\n${usage}\n` : ''}`)
  process.exitCode = isUsage ? usageFault : 1
}

/** The exit code: 0, or 1 where a reply is not what it should be. */
async function run(asked: Arguments): Promise<number> {
  const { host, port, isSecure } = asked
  const take = (): Map<string, Taken> => new Map([...asked.pids].map(([name, pid]) => [name, { cpuSeconds: cpuSeconds(pid), memoryMiB: memoryMiB(pid) }]))
  const before = take()
  const began = performance.now()
  const sessions = await openSessions({ host, port, isSecure, apiKey: process.env['CHATTERBOT_API_KEY'] ?? null }, asked.dialect, asked.sockets)
  const openS = (performance.now() - began) / 1000
  process.stderr.write(`${sessions.length} connections are open after ${openS.toFixed(1)} s.\n`)
  const open = take()
  const ownBefore = process.cpuUsage()
  const question = asked.verifies ? `Tell me [[tokens=${asked.tokens}]]` : 'Tell me'
  const heard = await talk(sessions.slice(0, asked.streams), { turnsEach: asked.turns, withinMs: asked.withinS * 1000, tokens: asked.verifies ? asked.tokens : null, question })
  const { user, system } = process.cpuUsage(ownBefore)
  const after = take()
  for (const session of sessions) session.leave()
  const processes = new Map([...asked.pids.keys()].map((name) => [name, [before.get(name) as Taken, open.get(name) as Taken, after.get(name) as Taken] as const]))
  process.stdout.write(`${JSON.stringify(reportOf({ asked, heard, openS, ownCpuS: (user + system) / 1e6, processes }), null, 2)}\n`)
  const { failures, lost, doubled, reordered } = heard
  return failures.length + lost + doubled + reordered === 0 ? 0 : 1
}
