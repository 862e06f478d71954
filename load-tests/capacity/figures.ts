/**
 * What a turn costs the parts that are ours, as the benchmarks measured it last (docs/benchmarks.json), with everything on the
 * cores of one machine. CPU errs upwards: on a machine of their own, processes share larger reads and writes.
 */
import { spread } from '../bench/measure.ts'
import type { BenchRecord } from '../bench/suite/record.ts'

export interface PartFigures {
  /** CPU seconds of one core. */
  readonly perTurnS: number
  readonly perMillionTokensS: number
}

export interface Figures {
  readonly edge: PartFigures
  readonly bridge: PartFigures
  readonly nats: PartFigures
  readonly redis: PartFigures
  readonly postgres: PartFigures
  /** Of an edge, for a connection with a conversation that has had a turn. */
  readonly edgeBytesPerUser: number
  /** Whose writes one Postgres takes a second, in groups. */
  readonly postgresTurnsPerS: number
}

/** Bytes of a token, in UTF-8 and on average, as English has it. */
export const bytesPerToken = 4
/** Rows, their indexes and their part of the write-ahead log that a replica holds, for a turn and its two messages, besides their text. */
export const rowBytesPerTurn = 900

const byProcess = 'CPU a turn by process: ChatterBot'
/** At half of its core, an edge has about as many. */
const manyTurns = '100 turns a second, one token each'
const [shortReplies, longReplies, moreTokens] = ['40 turns a second, one token each', '40 turns a second, 100 tokens each', 99] as const

/** Throws where the record lacks one of the figures. */
export function figuresOf(record: BenchRecord): Figures {
  const median = (benchmark: string, isTable: (title: string) => boolean, contestant: string, name: string): number => {
    const table = record.results.find((result) => result.name === benchmark)?.tables.find(({ title }) => isTable(title))
    const figure = table?.contestants.find((each) => each.name === contestant)?.figures.find((each) => each.name === name)
    if (figure === undefined) throw new Error(`docs/benchmarks.json has no ${name} of ${contestant} by ${benchmark}.bench: npm run bench -- --only ${benchmark}`)
    return spread(figure.samples).median
  }
  const part = (process: string): PartFigures => {
    const turnMs = (turns: string): number => median('turn-cost', (title) => title === byProcess, turns, process)
    // A turn's first token comes with the turn.
    return { perTurnS: turnMs(manyTurns) / 1e3, perMillionTokensS: (Math.max(0, turnMs(longReplies) - turnMs(shortReplies)) / moreTokens) * 1e3 }
  }
  return {
    edge: part('edge-1'),
    bridge: part('bridge-1'),
    nats: part('nats'),
    redis: part('redis'),
    postgres: part('postgres'),
    edgeBytesPerUser: median('cluster-memory', () => true, 'ChatterBot', 'all of it') * 1024,
    postgresTurnsPerS: median('durable-turns', () => true, 'nobody connected: group commit', 'turns'),
  }
}
