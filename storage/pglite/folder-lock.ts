/**
 * One process a folder. The lock is the operating system's, so that it ends with its holder however that ends: on Linux
 * a socket in the abstract namespace, on Windows a named pipe, both named after the folder; elsewhere (macOS, BSD) a
 * file opened with an exclusive lock. A file in the folder says who holds it, for people only.
 */
import { createHash } from 'node:crypto'
import { closeSync, constants, openSync, readFileSync, realpathSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import path from 'node:path'
import { DataFolderError } from './data-folder-error.ts'

/** Of open(2) on macOS and the BSDs; Node passes it on. */
const O_EXLOCK = 0x20

/**
 * Resolves with the function that gives the folder up. Rejects with DataFolderError `folder_in_use`. The folder must exist.
 * `holder`: the process that people are told of.
 */
export async function lockFolder(folder: string, holder = process.pid): Promise<() => Promise<void>> {
  const real = realpathSync.native(folder)
  const holderFile = path.join(real, 'holder.pid')
  const release = await (process.platform === 'linux' || process.platform === 'win32' ? holdName(real) : holdFile(real))
  if (release === null) {
    const holderPid = readPid(holderFile)
    throw new DataFolderError('folder_in_use', `${holderPid === null ? 'Another process' : `The process ${holderPid}`} uses the data folder ${real}.`, { holderPid })
  }
  writeFileSync(holderFile, String(holder))
  return release
}

/** Null where another process holds it. */
function holdName(folder: string): Promise<(() => Promise<void>) | null> {
  const name = `chatterbot-${createHash('sha256').update(folder).digest('hex').slice(0, 32)}`
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy())
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') resolve(null)
      else reject(error)
    })
    server.listen(process.platform === 'win32' ? `\\\\.\\pipe\\${name}` : `\0${name}`, () => {
      server.unref()
      resolve(() => new Promise((closed) => server.close(() => closed())))
    })
  })
}

function holdFile(folder: string): Promise<(() => Promise<void>) | null> {
  try {
    const file = openSync(path.join(folder, 'lock'), constants.O_RDWR | constants.O_CREAT | constants.O_NONBLOCK | O_EXLOCK, 0o600)
    return Promise.resolve(() => {
      closeSync(file)
      return Promise.resolve()
    })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return Promise.resolve(null)
    return Promise.reject(error)
  }
}

function readPid(file: string): number | null {
  try {
    const pid = Number(readFileSync(file, 'utf8'))
    return Number.isInteger(pid) && pid > 0 ? pid : null
  } catch {
    return null
  }
}
