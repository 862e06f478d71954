import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { DataFolderError } from './data-folder-error.ts'

/** Makes sure that the data folder exists and can be written to, for this user alone where it is new. */
export function prepareDataFolder(dataFolder: string): void {
  try {
    mkdirSync(dataFolder, { recursive: true, mode: 0o700 })
    const probe = path.join(dataFolder, `probe-${process.pid}`)
    writeFileSync(probe, '')
    rmSync(probe)
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'unknown'
    throw new DataFolderError('folder_not_writable', `The data folder ${dataFolder} cannot be written to (${code}).`, { cause: error })
  }
}
