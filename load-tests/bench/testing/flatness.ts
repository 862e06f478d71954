/** What visits cost at each size, and whether the largest costs what the one it is held against does. */
import pg from 'pg'
import type { PostgresServer } from '../../../tests/harness/postgres.ts'
import { cpuSeconds } from '../cpu-time.ts'
import { number } from '../markdown.ts'
import { percentile, spread } from '../measure.ts'
import type { Aim, Findings } from '../result.ts'
import { total, type ClusterUnderTest } from './cluster-under-test.ts'
import { deeds, type Deed, type Done, type ServerWork } from './visits.ts'

export interface AtSize {
  /** E.g. `1,000 messages`. */
  readonly name: string
  /** A visit a round. */
  readonly samples: readonly ReadonlyMap<Deed, Done>[]
}

/** Within a fifth. */
const bound = 1.2

/** Looks at what servers have done. */
export interface Watch {
  /** Edges, bridges, NATS, Redis, and the Postgres beside. */
  worked(cluster: ClusterUnderTest): Promise<ServerWork>
  end(): Promise<void>
}

export async function watch(postgres: PostgresServer): Promise<Watch> {
  const client = new pg.Client({ connectionString: postgres.url() })
  await client.connect()
  return {
    worked: async (cluster) => {
      const { rows } = await client.query<{ bytes: string }>(`SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0') AS bytes`)
      const ofPostgres = cpuSeconds(postgres.pid)
      return { all: total(cluster.serversCpu()) + ofPostgres, postgres: ofPostgres, loggedBytes: Number(rows[0]?.bytes) }
    },
    end: () => client.end(),
  }
}

/** The last size is held against `baseline`, round by round, as the machine is not the same in all of them. */
export function flatness(sizes: readonly AtSize[], baseline: AtSize): Required<Pick<Findings, 'tables' | 'aims' | 'remarks'>> {
  const largest = sizes.at(-1) ?? baseline
  const tables = deeds.map((deed) => ({
    title: titles[deed],
    contestants: sizes.map((size) => ({
      name: size.name,
      figures: [
        { name: 'CPU of the servers', unit: 'µs', samples: samplesOf(size, deed, cpu) },
        { name: 'of Postgres among them', unit: 'µs', samples: samplesOf(size, deed, postgresCpu) },
        { name: 'time, p50', unit: 'ms', samples: samplesOf(size, deed, median) },
        { name: 'time, p90', unit: 'ms', samples: samplesOf(size, deed, ({ ms }) => percentile(ms, 0.9)) },
        { name: "in Postgres' log", unit: 'bytes', samples: samplesOf(size, deed, logged) },
      ],
    })),
  }))
  const aims = largest === baseline ? [] : deeds.flatMap((deed) => {
    const aim = (what: string, figure: (done: Done) => number): Aim => ({
      what: `${inShort[deed]}: ${what}, ${largest.name} to ${baseline.name}`,
      is: 'at most',
      bound,
      unit: '×',
      measured: spread(samplesOf(largest, deed, figure).map((each, round) => each / (samplesOf(baseline, deed, figure)[round] ?? Number.NaN))).median,
      reason: causes(largest, baseline, deed),
    })
    return [aim('CPU', cpu), aim('time, p50', median)]
  })
  return { tables, aims, remarks: ['Whether an aim is met is told by the median of the ratios of all rounds.'] }
}

/** Where the difference is. */
function causes(largest: AtSize, baseline: AtSize, deed: Deed): string {
  const compared = (unit: string, figure: (done: Done) => number): string => {
    const [one, other] = [largest, baseline].map((size) => number(spread(samplesOf(size, deed, figure)).median))
    return `${one} ${unit} (${other})`
  }
  return `for each, Postgres takes ${compared('µs', postgresCpu)} and logs ${compared('bytes', logged)}; the other servers, which do the same however much is stored, take ${compared('µs', (done) => cpu(done) - postgresCpu(done))}`
}

const cpu = ({ work, ms }: Done): number => (work.all / ms.length) * 1e6
const postgresCpu = ({ work, ms }: Done): number => (work.postgres / ms.length) * 1e6
const logged = ({ work, ms }: Done): number => Math.round(work.loggedBytes / ms.length)
const median = ({ ms }: Done): number => percentile(ms, 0.5)

function samplesOf({ samples }: AtSize, deed: Deed, figure: (done: Done) => number): number[] {
  return samples.map((sample) => {
    const done = sample.get(deed)
    return done === undefined ? Number.NaN : figure(done)
  })
}

const titles: Readonly<Record<Deed, string>> = {
  open: 'A conversation that nobody has open is opened',
  'open again': 'It is closed, and opened again',
  'history page': 'An older page of 50 messages is read',
  'first turn': 'The first message since is sent, and answered by one token; times are those until it is accepted',
  turn: 'Another message is sent, and answered by one token; times are those until it is accepted',
}

const inShort: Readonly<Record<Deed, string>> = {
  open: 'Opening a conversation',
  'open again': 'Opening it again',
  'history page': 'Reading an older page of it',
  'first turn': 'The first turn in it since',
  turn: 'A turn after that',
}
