import t from 'tap'
import { createLogger } from '../../platform/logging/logger.ts'
import { Purger } from './purger.ts'

const logger = createLogger({ level: 'silent', name: 'test' })
t.teardown(() => logger.close())

t.test('a purge goes on until nothing is left, one at a time, and one that fails leaves the rest to the next', async (t) => {
  const outcomes = [true, true, false, new Error('away'), false]
  let calls = 0
  const purger = new Purger({
    logger,
    store: {
      purge: async () => {
        const outcome = outcomes[calls++]
        if (outcome instanceof Error) throw outcome
        return outcome ?? false
      },
    },
  })
  purger.start()
  for (const expected of [3, 4, 5]) {
    await Promise.all([purger.purge(), purger.purge()])
    t.equal(calls, expected)
  }
  await purger.stop()
  await purger.purge()
  t.equal(calls, 5, 'nothing after stop')
})
