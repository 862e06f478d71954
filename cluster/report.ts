/** What the cluster tells: programs in lines of JSON, people in words. */
import { displayHost } from '../server/listener.ts'
import { describeExit, type End } from './processes/supervised-process.ts'

export type Role = 'edge' | 'bridge' | 'engine' | 'service'

/** Once everything is ready. */
export interface ClusterReport {
  readonly port: number
  /** `metrics`: where Prometheus finds them; /health and /ready are beside it, but for engines. */
  readonly processes: readonly { readonly role: Role; readonly node: string; readonly pid: number | null; readonly metrics: string | null }[]
  /** `pid` null: somebody else runs it. `url`: several with commas between, and no password. */
  readonly services: readonly { readonly name: string; readonly pid: number | null; readonly url: string }[]
}

export type ClusterEvent =
  | { readonly event: 'started'; readonly role: Role; readonly node: string; readonly pid: number; readonly metrics: string | null }
  | { readonly event: 'exited'; readonly role: Role; readonly node: string; readonly end: End }

export interface Reporter {
  ready(report: ClusterReport): void
  /** After `ready`. */
  event(event: ClusterEvent): void
}

export function jsonReporter(write: (text: string) => void): Reporter {
  const line = (value: unknown): void => write(`${JSON.stringify(value)}\n`)
  return {
    ready: line,
    event: (told) => {
      if (told.event === 'started') return line(told)
      const { role, node, end } = told
      line({ event: 'exited', role, node, pid: end.pid, code: end.exit.code, signal: end.exit.signal })
    },
  }
}

export interface WordsOptions {
  readonly host: string
  readonly restartAfterMs: number
  readonly logFolder: string
}

export function wordsReporter(write: (text: string) => void, { host, restartAfterMs, logFolder }: WordsOptions): Reporter {
  const say = (text: string): void => write(`${text}\n`)
  const after = `${restartAfterMs / 1000} s`
  return {
    ready: ({ port, processes, services }) => {
      say(`\nChatterBot is ready: http://${displayHost(host)}:${port}\n`)
      say(table([
        ...processes.map(({ node, pid, metrics }) => [node, pid === null ? 'starts again' : `kill -9 ${pid}`, metrics ?? '']),
        ...services.map(({ name, pid, url }) => [name, pid === null ? 'runs elsewhere' : `kill -9 ${pid}`, url]),
      ]))
      say(`\nWhat is killed starts again after ${after}. Logs: ${logFolder}`)
      say(`Ctrl-C ends everything well; kill -USR2 ${process.pid} restarts edges and bridges one after the other.\n`)
    },
    event: (told) => {
      const time = new Date().toTimeString().slice(0, 8)
      if (told.event === 'started') return say(`${time}  ${told.node} is up again: kill -9 ${told.pid}`)
      const { node, end } = told
      if (end.wasAsked) return say(`${time}  ${node} (${end.pid}) has stopped${end.willStartAgain ? ', and starts again' : ''}`)
      say(`${time}  ${node} (${end.pid ?? 'no process'}) ended, ${describeExit(end.exit)}${end.willStartAgain ? `; it starts again in ${after}` : ''}`)
      // Who was killed has nothing to say about it.
      if (end.exit.signal === null) say(lastWords(end.lines, 5).map((line) => `          ${line}`).join('\n'))
    },
  }
}

/** Of a program: its words to people, where it has any, rather than its log. */
export function lastWords(lines: readonly string[], most: number): string[] {
  const words = lines.flatMap(wordsOf)
  return (words.length > 0 ? words : lines).slice(-most)
}

/** A refusal in JSON is meant for people too. */
function wordsOf(line: string): string[] {
  if (!line.startsWith('{')) return line.trim() === '' ? [] : [line]
  return line.startsWith('{"ready":false') ? [(JSON.parse(line) as { message: string }).message] : []
}

function table(rows: readonly (readonly string[])[]): string {
  const widths = [0, 1].map((column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)))
  return rows.map((row) => `  ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ')}`.trimEnd()).join('\n')
}
