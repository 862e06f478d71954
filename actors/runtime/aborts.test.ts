import t from 'tap'
import { Aborts } from './aborts.ts'

t.test('a run is told to stop once a second at most, however often it sends', (t) => {
  const told: string[] = []
  let now = 0
  const aborts = new Aborts({ monotonic: () => now, send: (bridge, turnId, run) => told.push(`${bridge}/${turnId}/${run}`) })
  for (now = 0; now < 3_000; now += 10) aborts.tell('b1', 't1', 1)
  t.equal(told.length, 3)
  aborts.tell('b2', 't1', 1)
  aborts.tell('b1', 't1', 2)
  t.same(told.slice(3), ['b2/t1/1', 'b1/t1/2'], 'another run is another matter')
  t.end()
})

t.test('many runs cost bounded memory', (t) => {
  let told = 0
  const aborts = new Aborts({ monotonic: () => 0, send: () => (told += 1) })
  for (let n = 0; n < 20_000; n += 1) aborts.tell('b1', `turn-${n}`, 1)
  t.equal(told, 20_000)
  aborts.tell('b1', 'turn-19999', 1)
  t.equal(told, 20_000)
  aborts.tell('b1', 'turn-0', 1)
  t.equal(told, 20_001, 'forgotten')
  t.end()
})
