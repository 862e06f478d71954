import t from 'tap'
import { cpuShares } from './cpu-shares.ts'

const call = (id: number, functionName: string, url = '', children: readonly number[] = []) => ({ id, callFrame: { functionName, url }, children })

t.test('time counts for the innermost part that called, and neither what was idle nor the profiler', async (t) => {
  const nodes = [
    call(1, '(root)', '', [2, 3, 4, 7, 10]),
    call(2, '(idle)'),
    call(3, '(garbage collector)'),
    call(4, 'commit', 'file:///x/dist/storage/postgres/shard.js', [5]),
    call(5, 'write', 'node:net', [6]),
    call(6, 'writev'),
    call(7, 'hear', 'file:///x/dist/actors/runtime/actor.js', [8, 9]),
    call(8, 'send', 'file:///x/dist/server/websocket/connection.js'),
    call(9, 'query', 'file:///x/node_modules/pg/lib/client.js'),
    call(10, 'begin', 'file:///x/dist/load-tests/bench/testing/profile.js', [11]),
    call(11, 'dispatch'),
  ]
  const shares = cpuShares({ nodes, samples: [2, 6, 7, 8, 9, 3, 1, 11], timeDeltas: [1_000, 30, 20, 10, 10, 20, 10, 500] })
  t.same([...shares], [
    ['Postgres: statements, rows, exchanges', 0.4],
    ['conversations: their states, their feeds', 0.2],
    ['garbage', 0.2],
    ['WebSocket: frames, and sending them', 0.1],
    ['Node itself, and what others of its libraries call', 0.1],
  ])
})
