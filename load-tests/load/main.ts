/** `npm run load`: k6 against a running ChatterBot, and a report with plots. */
import { spawn } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import path from 'node:path'
import { repositoryPath } from '../../protocol/docs/repository.ts'
import { readArguments, usage, type Arguments } from './arguments.ts'
import { k6Program } from './k6-program.ts'

const usageFault = 64

try {
  const asked = readArguments(process.argv.slice(2))
  if (asked === 'help') process.stdout.write(`${usage}\n`)
  else process.exitCode = await load(asked)
} catch (error) {
  const isUsage = error instanceof RangeError || error instanceof TypeError
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n${isUsage ? `\n${usage}\n` : ''}`)
  process.exitCode = isUsage ? usageFault : 1
}

/** The exit code: 0, or k6's 99 where a threshold was crossed. */
async function load(asked: Arguments): Promise<number> {
  const program = await k6Program(process.env)
  const report = path.resolve(asked.report)
  mkdirSync(report, { recursive: true })
  const told = {
    BASE_URL: asked.url,
    SCENARIO: asked.scenario,
    PEOPLE: String(asked.people),
    CHATS_EACH: String(asked.chatsEach),
    RATE: String(asked.rate),
    HOLD_S: String(asked.holdS),
    THINK_S: String(asked.thinkS),
    TURNS: String(asked.turns),
    REPLY_TOKENS: String(asked.tokens),
    VERIFY: String(asked.verifies),
    ...(asked.model === null ? {} : { MODEL: asked.model }),
  }
  const args = ['run', '--quiet', ...Object.entries(told).flatMap(([name, value]) => ['-e', `${name}=${value}`]), '--summary-export', path.join(report, 'summary.json'), repositoryPath('load-tests/k6/chat.ts')]
  const env = {
    ...process.env,
    // Passed on by the environment, which other users of the machine don't see.
    ...(process.env['CHATTERBOT_API_KEY'] === undefined ? {} : { API_KEY: process.env['CHATTERBOT_API_KEY'] }),
    K6_NO_USAGE_REPORT: 'true',
    K6_WEB_DASHBOARD: 'true',
    // No port: the report alone.
    K6_WEB_DASHBOARD_PORT: '-1',
    K6_WEB_DASHBOARD_PERIOD: '1s',
    K6_WEB_DASHBOARD_EXPORT: path.join(report, 'report.html'),
  }
  const child = spawn(program, args, { env, stdio: 'inherit' })
  const code = await new Promise<number>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (exit) => resolve(exit ?? 1))
  })
  process.stdout.write(`\nThe report: ${path.join(report, 'report.html')}\n`)
  return code
}
