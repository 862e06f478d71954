// `npm run keys -- list`: the operator's command for API keys.
import { runOperator } from './run-operator.mjs'

await runOperator('keys')
