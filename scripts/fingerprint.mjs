import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
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

const stampFile = (name) => path.join(root, 'dist', `.${name}`)

/** The fingerprint that the last good build of `name` was made from. */
export function readStamp(name) {
  return existsSync(stampFile(name)) ? readFileSync(stampFile(name), 'utf8') : ''
}

export function writeStamp(name, value) {
  mkdirSync(path.dirname(stampFile(name)), { recursive: true })
  writeFileSync(stampFile(name), value)
}
