import t from 'tap'
import { createLogger } from '../../platform/logging/logger.ts'
import { nobody } from '../auth/authenticator.ts'
import { movingClock } from '../auth/testing/moving-clock.ts'
import { CredentialWatch } from './credential-watch.ts'

const logger = createLogger({ level: 'silent', name: 'test' })
t.teardown(() => logger.close())

t.test('a connection is told a minute before its credentials end, or at half of a shorter time, once, and ended then', async (t) => {
  const clock = movingClock()
  const watch = new CredentialWatch({ authenticator: { holdingKeys: async (ids) => new Set(ids) }, now: clock.now, monotonic: clock.monotonic, logger })
  for (const [livesMs, toldAfterMs] of [[3_600_000, 3_540_000], [120_000, 60_000], [20_000, 10_000]] as const) {
    const heard: string[] = []
    const began = clock.now()
    watch.watch({ tellExpiring: (at) => heard.push(`told of ${at - began}`), credentialsEnded: () => heard.push('ended') }, { ...nobody, expiresAt: began + livesMs })
    for (const [ms, expected] of [[toldAfterMs - 1, []], [1, [`told of ${livesMs}`]], [livesMs - toldAfterMs - 1, [`told of ${livesMs}`]], [1, [`told of ${livesMs}`, 'ended']], [livesMs, [`told of ${livesMs}`, 'ended']]] as const) {
      clock.pass(ms)
      watch.tick()
      t.same(heard, expected, `${livesMs} ms`)
    }
  }
})

t.test('what never ends is not watched, and what was forgotten hears nothing', async (t) => {
  const clock = movingClock()
  const watch = new CredentialWatch({ authenticator: { holdingKeys: async () => t.fail('nobody to ask for') as never }, now: clock.now, monotonic: clock.monotonic, logger })
  const watched = { tellExpiring: () => t.fail(), credentialsEnded: () => t.fail() }
  const expiring = { ...nobody, expiresAt: clock.now() + 1000 }
  watch.watch(watched, expiring)
  watch.watch(watched, nobody)
  clock.pass(10_000)
  watch.tick()
  watch.watch(watched, expiring)
  watch.forget(watched)
  watch.tick()
})
