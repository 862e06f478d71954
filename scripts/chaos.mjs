// `npm run chaos`: a whole cluster under every fault, and a verdict. It needs the servers that `npm test` needs.
import { runProgram } from './run-program.mjs'

await runProgram('tests/chaos')
