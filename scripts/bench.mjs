// `npm run bench`: the project and its peers side by side on the same work, and docs/benchmarks.md.
import { runProgram } from './run-program.mjs'

await runProgram('load-tests/bench')
