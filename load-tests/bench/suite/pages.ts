/** docs/benchmarks.md, its plots, and the README's table of numbers: all made of the record. */
import { readFileSync, rmSync, mkdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { repositoryPath } from '../../../protocol/docs/repository.ts'
import { aimLines, resultLines } from '../markdown.ts'
import { isMet, type Circumstances, type Result } from '../result.ts'
import { plotOf } from './plot.ts'
import type { BenchRecord } from './record.ts'

const page = 'docs/benchmarks.md'
const plots = 'docs/images/benchmarks'
const readme = 'README.md'
const begin = '<!-- Made by `npm run bench`: begin -->'
const end = '<!-- Made by `npm run bench`: end -->'

/** Files by their paths in the repository. `readmeNow`: what it holds, of which the table is made anew. Throws where it has no place for it. */
export function generatedPages(record: BenchRecord, readmeNow: string): ReadonlyMap<string, string> {
  const files = new Map<string, string>([[page, benchmarksPage(record)], [readme, readmeWith(record, readmeNow)]])
  for (const result of record.results) for (const [name, plot] of plotsOf(result)) files.set(`${plots}/${name}`, plot)
  return files
}

export function writePages(record: BenchRecord): void {
  rmSync(repositoryPath(plots), { recursive: true, force: true })
  for (const [name, content] of generatedPages(record, readFileSync(repositoryPath(readme), 'utf8'))) {
    mkdirSync(path.dirname(repositoryPath(name)), { recursive: true })
    writeFileSync(repositoryPath(name), content)
  }
}

function benchmarksPage({ results, failed }: BenchRecord): string {
  const aims = results.flatMap((result) => result.aims ?? [])
  return `${[
    '# Benchmarks',
    '',
    'The project, its peers and the floors below it, side by side on the same work in one run. Figures are medians of the rounds,',
    'with the range of all rounds; CPU time is that of the processes named, user and system. Load, engine, servers and databases',
    'share the cores of one machine. The engine is [simulated](../load-tests/simulated-vllm/README.md), so that every token a client',
    'receives can be verified; what costs a GPU is not measured here. The [peers](../load-tests/peers/README.md) keep nothing unless',
    'it is said: ChatterBot stores every turn, fences every write and goes on with a reply whichever process dies, in every figure.',
    '',
    '```sh',
    `npm run bench                          # all of this page, which it writes: ${Math.ceil(results.reduce((sum, { circumstances: { tookS } }) => sum + tookS, 0) / 60)} minutes here`,
    'npm run bench -- --all                 # what is not run unasked, too',
    'npm run bench -- --only codec,fan-out  # some of it, the rest of the page stays',
    'npm run bench -- --quick               # a look of a few minutes, printed only',
    '```',
    '',
    'This page is made of [benchmarks.json](benchmarks.json), which holds every sample. Ratios of one run can be compared with those',
    'of another machine; seconds cannot.',
    '',
    ...circumstancesLines(results.map(({ circumstances }) => circumstances)),
    '',
    ...(aims.length === 0 ? [] : ['## Aims', '', ...aimLines(aims), '']),
    ...results.flatMap((result) => {
      const { at, commit, tookS, busyBefore } = result.circumstances
      const busy = busyBefore > mostBusy ? `; **${Math.round(busyBefore * 100)}% of the cores were at other work when it began**` : ''
      const options = Object.entries(result.options).filter(([, value]) => value !== '').map(([name, value]) => `${name} ${value}`)
      return [
        ...resultLines({ ...result, aims: [] }, '##'),
        ...[...plotsOf(result).keys()].flatMap((name) => [`![The figures above as bars](images/benchmarks/${name})`, '']),
        `<sub>${at.slice(0, 10)}, commit ${commit}, ${options.join('; ')}; ${tookS} s${busy}.</sub>`,
        '',
      ]
    }),
    ...(failed.length === 0 ? [] : ['## Failed', '', 'What failed when it was last tried; figures of it above, if any, are of an earlier run.', '', ...failed.map(({ name, why }) => `- ${name}: \`${why.split('\n')[0]?.replaceAll('`', "'") ?? ''}\``), '']),
  ].join('\n').trimEnd()}\n`
}

/** Above this share of the cores, figures are not worth much. */
export const mostBusy = 0.15

function circumstancesLines(all: readonly Circumstances[]): string[] {
  const kinds = new Set(all.map(({ cores, cpu, memoryGiB, kernel, node }) => `${cores} cores of ${cpu}, ${memoryGiB} GiB of memory, ${kernel}, Node ${node}`))
  return [`Measured on ${[...kinds].join('; and on ')}.`]
}

function plotsOf({ name, tables }: Result): ReadonlyMap<string, string> {
  const found = new Map<string, string>()
  for (const [index, table] of tables.entries()) {
    const plot = plotOf(table)
    if (plot !== null) found.set(`${name}-${index + 1}.svg`, plot)
  }
  return found
}

function readmeWith({ results }: BenchRecord, now: string): string {
  const [from, to] = [now.indexOf(begin), now.indexOf(end)]
  if (from === -1 || to < from) throw new Error(`${readme} has no lines ${begin} and ${end}`)
  const rows = results.flatMap(({ headlines = [], name }) => headlines.map(({ what, figure, beside }) => `| ${what}, \`${name}\` | ${figure} | ${beside} |`))
  const aims = results.flatMap((result) => result.aims ?? [])
  const verdict = aims.length === 0 ? '' : `\nAims met: ${aims.filter(isMet).length} of ${aims.length}; [which, and why not the others](docs/benchmarks.md#aims).\n`
  return `${now.slice(0, from + begin.length)}\n| what | figure | beside |\n|---|---|---|\n${rows.join('\n')}\n${verdict}${now.slice(to)}`
}
