// `npm start`: everything from a fresh clone to a chat that answers, in one process.
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { buildAll } from './build-all.mjs'
import { endWithNpm } from './end-with-npm.mjs'
import { install } from './install.mjs'
import { requireNode } from './node-version.mjs'
import { root } from './run-command.mjs'
import { requireServerBinary } from './server-binary.mjs'
import { reportFailure } from './steps.mjs'

requireNode()
endWithNpm()
try {
  await install()
  requireServerBinary()
  await buildAll()
} catch (error) {
  reportFailure(error)
}
if (!process.exitCode) {
  // Imported rather than spawned: signals and the exit code are the server's own, and nothing is left when this process is killed.
  process.setSourceMapsEnabled(true)
  const main = path.join(root, 'dist', 'standalone', 'main.js')
  process.argv[1] = main
  await import(pathToFileURL(main).href)
}
