// `npm run capacity`: how many edges, bridges, GPUs and servers a load needs, and what a chat costs.
import { runProgram } from './run-program.mjs'

await runProgram('load-tests/capacity')
