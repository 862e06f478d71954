// `npm run build`: dist/ made current, and nothing started.
import { buildAll } from './build-all.mjs'
import { install } from './install.mjs'
import { requireNode } from './node-version.mjs'
import { reportFailure } from './steps.mjs'

requireNode()
await install().then(buildAll).catch(reportFailure)
