import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { compile } from './compile.mjs'
import { install } from './install.mjs'
import { requireNode } from './node-version.mjs'
import { root } from './run-command.mjs'
import { reportFailure } from './steps.mjs'

/** From a fresh clone to the operator's program `dist/operator/<name>/main.js`, in this process. It needs no page and no server's binary. */
export async function runOperator(name) {
  requireNode()
  try {
    await install()
    await compile()
  } catch (error) {
    reportFailure(error)
  }
  if (process.exitCode) return
  process.setSourceMapsEnabled(true)
  await import(pathToFileURL(path.join(root, 'dist', 'operator', name, 'main.js')).href)
}
