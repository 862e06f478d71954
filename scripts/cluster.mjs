// `npm run cluster`: everything from a fresh clone to edges, bridges and what they stand on, as processes of this machine.
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { buildAll } from './build-all.mjs'
import { endWithNpm } from './end-with-npm.mjs'
import { install } from './install.mjs'
import { requireNode } from './node-version.mjs'
import { root } from './run-command.mjs'
import { requireServerBinary } from './server-binary.mjs'
import { reportFailure, showStepsOn } from './steps.mjs'

// Standard output is for the program that reads it.
if (process.argv.includes('--json')) showStepsOn(process.stderr)
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
  // Imported rather than spawned: signals and the exit code are the cluster's own, and nothing is left when this process is killed.
  process.setSourceMapsEnabled(true)
  const main = path.join(root, 'dist', 'cluster', 'main.js')
  process.argv[1] = main
  await import(pathToFileURL(main).href)
}
