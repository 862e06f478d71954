import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { root } from './run-command.mjs'

/** Every file below `folder` (relative to the repository, `/` as separator), sorted. */
export function filesBelow(folder) {
  const entries = readdirSync(path.join(root, folder), { withFileTypes: true })
  return entries
    .flatMap((entry) => {
      const name = `${folder}/${entry.name}`
      return entry.isDirectory() ? filesBelow(name) : [name]
    })
    .sort()
}

/** A hash over names and contents of the given files and folders; what does not exist counts as empty. */
export function fingerprint(paths) {
  const hash = createHash('sha256')
  for (const name of paths) {
    if (!existsSync(path.join(root, name))) continue
    const files = statSync(path.join(root, name)).isDirectory() ? filesBelow(name) : [name]
    for (const file of files) hash.update(`\0${file}\0`).update(readFileSync(path.join(root, file)))
  }
  return hash.digest('hex')
}

/**
 * Runs `make` unless the last good run of it under this name was for the same fingerprint.
 * A run that fails may have left anything behind, and so forgets the one before.
 */
export async function makeOnce(name, made, make) {
  const stamp = path.join(root, 'dist', `.${name}`)
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === made) return
  rmSync(stamp, { force: true })
  await make()
  mkdirSync(path.dirname(stamp), { recursive: true })
  writeFileSync(stamp, made)
}
