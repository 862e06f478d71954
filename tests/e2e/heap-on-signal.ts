/**
 * Preloaded (`--import`) into a process whose heap is to be known: at each SIGUSR2 it collects its garbage, and says
 * `{"heap_bytes":…}` of what is left on its standard output.
 */
import v8 from 'node:v8'
import vm from 'node:vm'

v8.setFlagsFromString('--expose-gc')
const collect = vm.runInNewContext('gc') as () => void
process.on('SIGUSR2', () => {
  // What the first lets go of may hold what the second finds.
  collect()
  collect()
  process.stdout.write(`${JSON.stringify({ heap_bytes: process.memoryUsage().heapUsed })}\n`)
})
