// `npm run load`: k6 against a running ChatterBot, and a report with plots.
import { runProgram } from './run-program.mjs'

await runProgram('load-tests/load')
