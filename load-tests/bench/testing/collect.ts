/** Preloaded (`--import`) into a process whose memory is to be read without garbage: it collects all of it when it is sent SIGUSR2. */
import v8 from 'node:v8'
import vm from 'node:vm'

v8.setFlagsFromString('--expose-gc')
const collect = vm.runInNewContext('gc') as () => void
process.on('SIGUSR2', () => {
  // The first leaves what waited for its finalizers.
  collect()
  collect()
})
