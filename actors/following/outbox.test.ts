import t from 'tap'
import { decodeFollowedBatch } from '../../protocol/bus/codec.ts'
import { busMessageBytes } from '../../protocol/bus/subjects.ts'
import type { FollowedItem } from '../../protocol/bus/following.ts'
import { BusError } from '../../platform/bus/channel.ts'
import { Outbox } from './outbox.ts'

t.test('a digest of all conversations that an edge may follow takes nothing from what happens meanwhile', async (t) => {
  const items: FollowedItem[] = []
  let digests = 0
  const publish = (_: string, payload: Uint8Array): void => {
    if (payload.byteLength > busMessageBytes) throw new BusError('too_big', `${payload.byteLength} bytes`)
    const batch = decodeFollowedBatch(payload)
    items.push(...batch.items)
    digests += batch.digest?.length ?? 0
  }
  const outbox = new Outbox({ channel: { publish }, from: 'edge-1', to: 'edge-2', onFlush: () => undefined })
  const text = 'x'.repeat(30_000)
  for (let n = 1; n <= 2; n += 1) outbox.post([1024 * n, 2 ** 52 + n, 7, 'text', { turn_id: '01890a5d-ac96-7000-8000-000000000001', attempt: 1, text }], false)
  outbox.flush(Array.from({ length: 20_000 }, (_, n) => [2 ** 52 + 1024 * n, 2 ** 52 + n, 70_000]))
  t.equal(items.length, 2)
  t.equal(digests, 20_000)
})
