import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { aptInstall, distribution } from './apt.mjs'
import { commandOf, root, runCommand } from './run-command.mjs'
import { SetupError, step } from './steps.mjs'

/**
 * The programs that tests run against, besides Node. Each has
 * - `find`: the name of the function in tests/harness/programs.ts that looks for it,
 * - `debian`, `ubuntu`: the packages that apt-get installs there, where the distribution has a fitting one,
 * - `install`: the Node program and its arguments that fetch it elsewhere, without anyone's leave,
 * - `advice`: what a person does where neither serves.
 */
const prerequisites = [
  {
    name: 'PostgreSQL 15 or later',
    find: 'findPostgres',
    debian: ['postgresql'],
    ubuntu: ['postgresql'],
    advice: {
      linux: 'sudo apt-get install postgresql (or your distribution\'s way; if that gives a version before 15: https://www.postgresql.org/download/linux/)',
      darwin: 'brew install postgresql@17',
      win32: 'winget install PostgreSQL.PostgreSQL.17'
    }
  },
  {
    name: 'Chromium',
    find: 'findChromium',
    // Ubuntu's package is a snap, which containers cannot run.
    debian: ['chromium', 'fonts-liberation'],
    install: () => [commandOf('playwright-core'), 'install', ...(process.getuid?.() === 0 ? ['--with-deps'] : []), 'chromium'],
    advice: {
      linux: 'npx playwright-core install --with-deps chromium, or set CHROME_PATH to a Chrome or Chromium',
      darwin: 'npx playwright-core install chromium, or set CHROME_PATH to a Chrome or Chromium',
      win32: 'npx playwright-core install chromium, or set CHROME_PATH to a Chrome or Chromium'
    }
  }
]

/** Installs what is missing where that is possible unasked, and otherwise says how to. Needs a current dist/. */
export async function installTestPrerequisites() {
  const programs = await import(pathToFileURL(path.join(root, 'dist', 'tests', 'harness', 'programs.js')).href)
  const missing = () => prerequisites.filter(({ find }) => programs[find]() === undefined)

  await aptInstall(missing().flatMap((prerequisite) => prerequisite[distribution()] ?? []))

  for (const { name, install } of missing().filter((prerequisite) => prerequisite.install)) {
    await step(`Fetching ${name}`, () => fetchProgram(install())).catch(() => {})
  }

  const absent = missing()
  if (absent.length === 0) return
  const platform = absent[0].advice[process.platform] ? process.platform : 'linux'
  const advice = absent.map((prerequisite) => `  ${prerequisite.advice[platform]}`).join('\n')
  throw new SetupError(`The tests need ${absent.map(({ name }) => name).join(' and ')} on this machine.`, `install what is missing, then run \`npm test\` again:\n${advice}`)
}

/** What it could not fetch is then reported as missing. */
async function fetchProgram(command) {
  const { code, output } = await runCommand(process.execPath, command)
  if (code !== 0) throw new Error(output)
}
