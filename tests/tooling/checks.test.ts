import { cpSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import t, { type Test } from 'tap'
import { temporaryFolder } from '../harness/guard.ts'
import { runProgram } from '../harness/processes.ts'
import { repositoryRoot } from '../harness/repository.ts'

/** A check that cannot fail is no check: each is shown what it is there to find. */

const root = repositoryRoot()
const script = <Exports>(name: string): Promise<Exports> => import(pathToFileURL(path.join(root, 'scripts', name)).href) as Promise<Exports>

/** Outside the repository, as its tools pass over what git ignores. */
function project(t: Test, files: Record<string, string>): string {
  const folder = temporaryFolder('project')
  t.teardown(folder.remove)
  for (const [file, text] of Object.entries(files)) {
    mkdirSync(path.join(folder.path, path.dirname(file)), { recursive: true })
    writeFileSync(path.join(folder.path, file), text)
  }
  for (const name of ['.oxlintrc.json', 'knip.json', 'tsconfig.json']) cpSync(path.join(root, name), path.join(folder.path, name))
  symlinkSync(path.join(root, 'node_modules'), path.join(folder.path, 'node_modules'), 'junction')
  return folder.path
}

function run(cwd: string, packageName: string, file: string, ...args: string[]): ReturnType<typeof runProgram> {
  return runProgram({ command: process.execPath, args: [path.join(root, 'node_modules', packageName, file), ...args], cwd, env: { NO_COLOR: '1' } })
}

t.test('boundaries', async (t) => {
  const { findBreaches } = await script<{ findBreaches: (root: string) => string[] }>('boundaries.mjs')
  const breachesOf = (t: Test, files: Record<string, string>): string[] => findBreaches(project(t, files))

  t.test('a layer may not import one above, whatever the form of the import', async (t) => {
    const forms = ["import { x } from '../../server/x.ts'", "import type { x } from '../../server/x.ts'", "export * from '../../server/x.ts'", "export { x } from '../../server/x.ts'",
      "const late = import('../../server/x.ts')", "type Late = import('../../server/x.ts').X", "import '../../server/x.ts'"]
    for (const [index, form] of forms.entries()) {
      const file = `platform/deep/form${index}.ts`
      t.same(breachesOf(t, { [file]: `// first line\n${form}\n`, 'server/x.ts': '' }), [`${file}:2: platform imports server/x.ts; it may import itself, protocol`], form)
    }
  })

  t.test('every layer keeps to the ones below it', async (t) => {
    const folders = ['protocol', 'platform', 'storage', 'actors', 'server', 'inference-bridge', 'client', 'load-tests', 'web', 'standalone']
    const found = breachesOf(t, Object.fromEntries(folders.map((from) => [`${from}/all.ts`, folders.map((to) => `import '../${to}/it.ts'\n`).join('')])))
    const allowed = Object.fromEntries(folders.map((from) => [from, folders.filter((to) => !found.some((breach) => breach.includes(`${from} imports ${to}/it.ts`)))]))
    t.same(allowed, {
      protocol: ['protocol'],
      platform: ['protocol', 'platform'],
      storage: ['protocol', 'platform', 'storage'],
      actors: ['protocol', 'platform', 'storage', 'actors'],
      server: ['protocol', 'platform', 'storage', 'actors', 'server'],
      'inference-bridge': ['protocol', 'platform', 'inference-bridge'],
      client: ['protocol', 'client'],
      'load-tests': ['protocol', 'client', 'load-tests'],
      web: ['protocol', 'client', 'web'],
      standalone: folders
    })
  })

  t.test('a composition root sees every layer, a test its harness', async (t) => {
    t.same(breachesOf(t, {
      'server/main.ts': "import '../inference-bridge/x.ts'\nprocess.env['PORT']\n",
      'storage/a.test.ts': "import '../tests/harness/postgres.ts'\nimport '../load-tests/simulated-vllm/server.ts'\n",
      'storage/testing/shared.ts': "import '../../tests/harness/postgres.ts'\nimport 'undici'\n",
      'storage/postgres/x.ts': "import pg from 'pg'\n"
    }), [])
    t.match(breachesOf(t, { 'storage/a.ts': "import '../tests/harness/postgres.ts'\n" }), [/for tests/])
    t.match(breachesOf(t, { 'storage/a.ts': "import './testing/shared.ts'\n" }), [/for tests/])
    t.match(breachesOf(t, { 'storage/a.test.ts': "import '../actors/x.ts'\n" }), [/storage imports actors/])
    t.match(breachesOf(t, { 'server/deep/main.ts': "import '../../web/x.ts'\n" }), [/server imports web/])
  })

  t.test('only its owner imports a client library', async (t) => {
    const libraries = ['pg', 'pg-cursor', 'undici', 'uWebSockets.js', '@nats-io/jetstream', 'ioredis', 'node-llama-cpp']
    const found = breachesOf(t, { 'actors/x.ts': libraries.map((name) => `import '${name}'\n`).join('') })
    t.same(found.map((breach) => breach.replace(/, which.*/, '')), libraries.map((name, index) => `actors/x.ts:${index + 1}: imports ${name}`))
  })

  t.test('only configuration and composition roots read the environment', async (t) => {
    const forms = ["process.env['A']", 'process.env.A', "process['env'].A", 'globalThis.process.env', 'const { env } = process', "import { env } from 'node:process'", "import process from 'process'"]
    const found = breachesOf(t, { 'server/x.ts': forms.join('\n'), 'platform/config/x.ts': forms.join('\n') })
    t.same(found.map((breach) => breach.split(': ')[0]), forms.map((_, index) => `server/x.ts:${index + 1}`))
  })

  t.test('a cycle is found, types included, and its shortest way named', async (t) => {
    t.same(breachesOf(t, {
      'actors/a.ts': "import { b } from './deep/b.ts'\n",
      'actors/deep/b.ts': "import type { C } from '../c.ts'\n",
      'actors/c.ts': "export { a } from './a.ts'\n",
      'actors/beside.ts': "import './a.ts'\n"
    }), ['actors/a.ts: import cycle: actors/a.ts -> actors/deep/b.ts -> actors/c.ts -> actors/a.ts'])
  })
})

t.test('lint finds promises that float and switches that miss a case', async (t) => {
  const folder = project(t, {
    'server/x.ts': [
      'async function work(): Promise<void> { await Promise.reject(new Error("x")) }',
      'export function float(): void { work() }',
      'export function misuse(): void { [1].forEach(async () => { await work() }) }',
      'export async function pointless(): Promise<void> { await 3 }',
      "export function miss(x: 'a' | 'b'): number { switch (x) { case 'a': return 1 } return 2 }",
      'export function unchecked(x: any): void { console.log(x) }'
    ].join('\n')
  })
  const { code, output } = await run(folder, 'oxlint', 'bin/oxlint', '--format=unix')
  t.equal(code, 1)
  for (const rule of ['no-floating-promises', 'no-misused-promises', 'await-thenable', 'switch-exhaustiveness-check', 'no-explicit-any', 'no-console']) t.match(output, rule)
})

t.test('dead files, exports and dependencies are found', async (t) => {
  const folder = project(t, {
    'package.json': JSON.stringify({ name: 'fixture', type: 'module', dependencies: { pino: '1.0.0' } }),
    'server/main.ts': "import { used } from './used.ts'\nused()\n",
    'server/used.ts': 'export function used(): void {}\nexport function unused(): void {}\n',
    'server/dead.ts': 'export {}\n'
  })
  const { code, output } = await run(folder, 'knip', 'bin/knip.js')
  t.equal(code, 1)
  t.match(output, 'server/dead.ts')
  t.match(output, /unused\s+function\s+server\/used.ts/)
  t.match(output, /pino\s+package.json/)
  t.notMatch(output, /used\s+function\s+server\/used.ts:1/)
})

t.test('a lock file that would not install elsewhere is found', async (t) => {
  const { findLockFaults } = await script<{ findLockFaults: (root: string) => string[] }>('lock-file.mjs')
  const lock = (packages: object): string => JSON.stringify({ packages: { '': { engines: { node: '>=20.19' } }, ...packages } })
  const faults = (packages: object): string[] => findLockFaults(project(t, { 'package-lock.json': lock(packages) }))
  t.same(faults({ 'node_modules/a': { version: '1.0.0', engines: { node: '^20.19.0 || >=22' } } }), [])
  t.match(faults({ 'node_modules/a': { version: '1.0.0', optionalDependencies: { 'a-darwin': '1.0.0' } } }), [/may need a-darwin/])
  t.match(faults({ 'node_modules/a': { version: '1.0.0', resolved: 'https://registry.example/a.tgz' } }), [/names a registry/])
  t.match(faults({ 'node_modules/a': { version: '1.0.0', engines: { node: '>=20.20' } } }), [/needs Node >=20.20/])
})
