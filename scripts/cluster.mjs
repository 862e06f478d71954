// `npm run cluster`: everything from a fresh clone to edges, bridges and what they stand on, as processes of this machine.
import { runProgram } from './run-program.mjs'
import { showStepsOn } from './steps.mjs'

// Standard output is for the program that reads it.
if (process.argv.includes('--json')) showStepsOn(process.stderr)
await runProgram('cluster')
