// `npm run dead-letters -- list`: the operator's command for the jobs of turns that were given up.
import { runOperator } from './run-operator.mjs'

await runOperator('dead-letters')
