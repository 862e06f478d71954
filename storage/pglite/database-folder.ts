/** The folder of the embedded database: opened, or made and filled for the first time. */
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { PGlite } from '@electric-sql/pglite'
import { DataFolderError } from './data-folder-error.ts'

/** Of Postgres, in the PGlite that package.json names. */
const postgresVersion = '18'

/** Under the folder's lock. Throws DataFolderError `folder_of_other_version`, `folder_damaged` or `did_not_start`. */
export async function openDatabase(dataFolder: string): Promise<PGlite> {
  const folder = path.join(dataFolder, 'postgres')
  // There from before the first file until after the last: what a process left that died in between holds no data yet.
  const unfinished = path.join(dataFolder, 'postgres-is-being-made')
  if (existsSync(unfinished)) rmSync(folder, { recursive: true, force: true })
  const isNew = !existsSync(folder)
  if (isNew) writeFileSync(unfinished, '')
  else requireVersion(folder)
  try {
    const database = await PGlite.create(folder)
    if (isNew) rmSync(unfinished)
    return database
  } catch (error) {
    if (isNew) throw new DataFolderError('did_not_start', `The embedded database could not be set up in ${folder}: ${String(error)}`, { cause: error })
    throw new DataFolderError('folder_damaged', `The embedded database in ${folder} cannot be opened: ${String(error)}`, { cause: error })
  }
}

/** PGlite takes a folder without this file for a new one, and would overwrite it. */
function requireVersion(folder: string): void {
  const file = path.join(folder, 'PG_VERSION')
  const version = existsSync(file) ? readFileSync(file, 'utf8').trim() : null
  if (version === null) throw new DataFolderError('folder_damaged', `The embedded database in ${folder} has lost its file PG_VERSION.`)
  if (version !== postgresVersion) throw new DataFolderError('folder_of_other_version', `The embedded database in ${folder} is of Postgres ${version}; this release uses ${postgresVersion}.`)
}
