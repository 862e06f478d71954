// `npm run streams`: many connections to a running server, some of which stream at a time, and what that takes.
import { runProgram } from './run-program.mjs'

await runProgram('load-tests/stream-client')
