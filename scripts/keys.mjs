// `npm run keys -- list`: the operator's command for API keys.
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { compile } from './compile.mjs'
import { install } from './install.mjs'
import { requireNode } from './node-version.mjs'
import { root } from './run-command.mjs'
import { reportFailure } from './steps.mjs'

requireNode()
try {
  await install()
  await compile()
} catch (error) {
  reportFailure(error)
}
if (!process.exitCode) {
  process.setSourceMapsEnabled(true)
  await import(pathToFileURL(path.join(root, 'dist', 'operator', 'keys', 'main.js')).href)
}
