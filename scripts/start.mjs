// `npm start`: everything from a fresh clone to a chat that answers, in one process.
import { runProgram } from './run-program.mjs'

await runProgram('standalone')
