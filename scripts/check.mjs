// `npm run check`: everything about the source that can be told without running it.
import { checkAll } from './check-all.mjs'
import { install } from './install.mjs'
import { requireNode } from './node-version.mjs'
import { reportFailure } from './steps.mjs'

requireNode()
try {
  await install()
  if ((await checkAll()) > 0) process.exitCode = 1
} catch (error) {
  reportFailure(error)
}
