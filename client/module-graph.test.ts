import { readFile } from 'node:fs/promises'
import { spawnSync } from 'node:child_process'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'

const folder = dirname(fileURLToPath(import.meta.url))
const entry = join(folder, 'client.js')

async function modulesFrom(path: string, seen = new Set<string>()): Promise<Set<string>> {
  if (seen.has(path)) return seen
  seen.add(path)
  const source = await readFile(path, 'utf8')
  // As tsc writes imports: on one line.
  for (const [, specifier] of source.matchAll(/^(?:import|export) (?:.* from )?'([^']+)';$/gm)) {
    if (specifier === undefined) continue
    if (!specifier.startsWith('.')) throw new Error(`${path} imports ${specifier}`)
    await modulesFrom(join(dirname(path), specifier), seen)
  }
  return seen
}

t.test('the client needs nothing but itself and the protocol: no package, and nothing of Node', async (t) => {
  const modules = [...(await modulesFrom(entry))]
  t.ok(modules.length > 10)
  for (const path of modules) t.ok(path.startsWith(folder) || path.startsWith(join(folder, '..', 'protocol')), path)
})

t.test('the client runs where code generation is forbidden, as on pages with a strict content security policy', async (t) => {
  const script = `const { createClient } = await import(${JSON.stringify(entry)}); createClient({ url: 'ws://127.0.0.1/', WebSocket: class {} }); try { new Function('') } catch { console.log('forbidden') }`
  const { stdout, stderr } = spawnSync(process.execPath, ['--disallow-code-generation-from-strings', '--input-type=module', '-e', script], { encoding: 'utf8' })
  t.equal(stdout.trim(), 'forbidden', stderr)
})
