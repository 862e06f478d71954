import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { buildAll } from './build-all.mjs'
import { endWithNpm } from './end-with-npm.mjs'
import { install } from './install.mjs'
import { requireNode } from './node-version.mjs'
import { root } from './run-command.mjs'
import { requireServerBinary } from './server-binary.mjs'
import { reportFailure } from './steps.mjs'

/** From a fresh clone to the program `dist/<folder>/main.js`, in this process: signals and the exit code are its own, and nothing is left when it is killed. */
export async function runProgram(folder) {
  requireNode()
  endWithNpm()
  try {
    await install()
    requireServerBinary()
    await buildAll()
  } catch (error) {
    return reportFailure(error)
  }
  process.setSourceMapsEnabled(true)
  const main = path.join(root, 'dist', folder, 'main.js')
  process.argv[1] = main
  // Read by uWebSockets.js as it is loaded, as in server/main.ts.
  process.env.UWS_HTTP_MAX_HEADERS_SIZE ??= '16384'
  await import(pathToFileURL(main).href)
}
