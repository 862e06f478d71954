// `npm run chaos`: a whole cluster under every fault, and a verdict. It needs the servers that `npm test` needs.
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
  process.setSourceMapsEnabled(true)
  const main = path.join(root, 'dist', 'tests', 'chaos', 'main.js')
  process.argv[1] = main
  await import(pathToFileURL(main).href)
}
