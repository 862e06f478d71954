/** What visits cost at each size, and whether the largest costs what the one it is held against does. */
import { cpuSeconds } from '../cpu-time.ts'
import { percentile, spread } from '../measure.ts'
import type { Aim, Table } from '../result.ts'
import type { ClusterUnderTest } from './cluster-under-test.ts'
import { deeds, type Deed, type Done, type ServerSeconds } from './visits.ts'

export interface AtSize {
  /** E.g. `1,000 messages`. */
  readonly name: string
  /** A visit a round. */
  readonly samples: readonly ReadonlyMap<Deed, Done>[]
}

/** Within a fifth. */
const bound = 1.2

/** Edges, bridges, NATS, Redis, and the Postgres beside. */
export function serverSeconds(cluster: ClusterUnderTest, postgresPid: number): ServerSeconds {
  const postgres = cpuSeconds(postgresPid)
  return { all: [...cluster.cpu()].reduce((sum, [name, seconds]) => (name === 'load client' || name === 'engine' ? sum : sum + seconds), postgres), postgres }
}

/** The last size is held against `baseline`. */
export function flatness(sizes: readonly AtSize[], baseline: AtSize, reasons: Readonly<Record<Deed, string>>): { readonly tables: Table[]; readonly aims: Aim[] } {
  const largest = sizes.at(-1) ?? baseline
  const cpu = ({ samples }: AtSize, deed: Deed, part: keyof ServerSeconds): number[] => samples.map((sample) => of(sample, deed, (done) => (done.cpu[part] / done.ms.length) * 1e6))
  const ms = ({ samples }: AtSize, deed: Deed, share: number): number[] => samples.map((sample) => of(sample, deed, (done) => percentile(done.ms, share)))
  const tables = deeds.map((deed) => ({
    title: titles[deed],
    contestants: sizes.map((size) => ({
      name: size.name,
      figures: [
        { name: 'CPU of the servers', unit: 'µs', samples: cpu(size, deed, 'all') },
        { name: 'of Postgres among them', unit: 'µs', samples: cpu(size, deed, 'postgres') },
        { name: 'p50', unit: 'ms', samples: ms(size, deed, 0.5) },
        { name: 'p90', unit: 'ms', samples: ms(size, deed, 0.9) },
      ],
    })),
  }))
  const aims = largest === baseline ? [] : deeds.flatMap((deed) => {
    const aim = (what: string, at: (size: AtSize) => readonly number[]): Aim => ({
      what: `${titles[deed]}: ${what}, ${largest.name} to ${baseline.name}`,
      is: 'at most',
      bound,
      unit: '×',
      measured: spread(at(largest)).median / spread(at(baseline)).median,
      reason: reasons[deed],
    })
    return [aim('CPU', (size) => cpu(size, deed, 'all')), aim('time, p50', (size) => ms(size, deed, 0.5))]
  })
  return { tables, aims }
}

const titles: Readonly<Record<Deed, string>> = {
  open: 'A conversation that nobody has open is opened',
  'open again': 'It is closed, and opened again',
  'history page': 'An older page of 50 messages is read',
  'first turn': 'The first message since is sent, and answered by one token; times are those until it is accepted',
  turn: 'Another message is sent, and answered by one token; times are those until it is accepted',
}

function of(sample: ReadonlyMap<Deed, Done>, deed: Deed, figure: (done: Done) => number): number {
  const done = sample.get(deed)
  return done === undefined ? Number.NaN : figure(done)
}
