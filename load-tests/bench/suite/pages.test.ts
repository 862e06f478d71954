import { readdirSync, readFileSync } from 'node:fs'
import t from 'tap'
import { repositoryPath } from '../../../protocol/docs/repository.ts'
import type { Aim, Result } from '../result.ts'
import { isForTheRecord, readArguments } from './arguments.ts'
import { benchmarks, usual } from './benchmarks.ts'
import { generatedPages } from './pages.ts'
import { readRecord, withOutcome, type BenchRecord } from './record.ts'

const marked = '# A project\n<!-- Made by `npm run bench`: begin -->\nold\n<!-- Made by `npm run bench`: end -->\nThe rest.\n'
const circumstances = { at: '2026-11-29T18:00:00.000Z', tookS: 61, commit: 'abc1234', cores: 2, cpu: 'A processor', memoryGiB: 4, kernel: 'Linux 6', node: 'v20.19.0', busyBefore: 0.02 }
const aim: Aim = { what: 'CPU to the floor', is: 'at most', bound: 1.3, unit: '×', measured: 1.5, reason: 'it stores what it says.' }
const result: Result = {
  name: 'codec',
  title: 'Writing',
  question: 'What does it cost?',
  options: { rounds: 3, profiles: '' },
  tables: [
    {
      title: 'A frame',
      compared: 'CPU',
      contestants: [
        { name: 'ours', isOurs: true, figures: [{ name: 'CPU', unit: 'µs', samples: [3, 1.5, 2] }] },
        { name: 'a peer', version: '1.2.3', figures: [{ name: 'CPU', unit: 'µs', samples: [4, 4, 5] }, { name: 'lost', unit: '', samples: [0] }] },
        { name: 'a <floor>', isSaturated: true, figures: [{ name: 'CPU', unit: 'µs', samples: [1, 1, 1] }] },
      ],
    },
    { title: 'Of ours', contestants: [{ name: 'ours', isOurs: true, figures: [{ name: 'edge', unit: 's', samples: [1200.4, 1300, 1100] }] }] },
  ],
  aims: [aim, { ...aim, what: 'met', measured: 1.3 }, { ...aim, what: 'unknown', measured: null }],
  headlines: [{ what: 'a frame', figure: '2 µs', beside: '4 µs, a peer' }],
  leftOut: [{ name: 'nginx', why: 'not installed' }],
  circumstances,
}
const record: BenchRecord = { results: [result], failed: [{ name: 'fan-out', why: 'text was lost\n  at somewhere' }] }

t.test('the page, the plots and the README are what the record says today', async (t) => {
  for (const [page, content] of generatedPages(readRecord(), readFileSync(repositoryPath('README.md'), 'utf8'))) {
    t.ok(readFileSync(repositoryPath(page), 'utf8') === content, `${page} is out of date: run \`npm run docs\``)
  }
})

t.test('every benchmark is run, and each by its own name', async (t) => {
  const files = readdirSync(repositoryPath('load-tests/bench')).filter((file) => file.endsWith('.bench.ts')).map((file) => file.slice(0, -'.bench.ts'.length))
  t.same(benchmarks.toSorted(), files.toSorted())
  for (const name of files) t.match(readFileSync(repositoryPath(`load-tests/bench/${name}.bench.ts`), 'utf8'), `name: '${name}',`)
})

t.test('the page has every figure, ratio and aim, and who was left out or failed', async (t) => {
  const pages = generatedPages(record, marked)
  const page = pages.get('docs/benchmarks.md') ?? ''
  for (const line of [
    '| **ours** | 2 (1.50 to 3) |  |  |',
    '| a peer (1.2.3) | 4 (4 to 5) | 0 | 0.500 |',
    '| a <floor> (saturated) | 1 (1 to 1) |  | 2 |',
    '| edge | 1,200 s | 1,100 to 1,300 |',
    '| CPU to the floor: at most 1.30× | 1.50× | **missed**: it stores what it says. |',
    '| met: at most 1.30× | 1.30× | met |',
    '| unknown: at most 1.30× |  | not measured |',
    'nginx (not installed)',
    '- fan-out: `text was lost`',
    'Measured on 2 cores of A processor, 4 GiB of memory, Linux 6, Node v20.19.0.',
    '<sub>2026-11-29, commit abc1234, rounds 3; 61 s.</sub>',
  ]) t.ok(page.includes(line), line)
  t.notMatch(page, 'other work when it began')
  t.notMatch(page, /undefined|NaN|\[object/)
  t.same([...pages.keys()], ['docs/benchmarks.md', 'README.md', 'docs/images/benchmarks/codec-1.svg'])
  for (const [, file] of page.matchAll(/!\[[^\]]*\]\(([^)]*)\)/g)) t.ok(pages.has(`docs/${file}`), `${file} is there`)
  t.match(pages.get('docs/images/benchmarks/codec-1.svg'), 'a &lt;floor&gt; (saturated)')
})

t.test('figures of a busy machine are marked as such', async (t) => {
  const page = generatedPages({ ...record, results: [{ ...result, circumstances: { ...circumstances, busyBefore: 0.4 } }] }, marked).get('docs/benchmarks.md')
  t.match(page, '40% of the cores were at other work when it began')
})

t.test("only the table between the README's marks is made anew", async (t) => {
  const readme = generatedPages(record, marked).get('README.md') ?? ''
  t.equal(readme, marked.replace('old', '| what | figure | beside |\n|---|---|---|\n| a frame, `codec` | 2 µs | 4 µs, a peer |\n\nAims met: 1 of 3; [which, and why not the others](docs/benchmarks.md#aims).'))
  t.equal(generatedPages(record, readme).get('README.md'), readme)
  t.throws(() => generatedPages(record, '# A project\n'), /has no lines/)
})

t.test('a result takes the place of the one before, and a failure leaves that', async (t) => {
  const newer = { ...result, name: 'fan-out', circumstances: { ...circumstances, commit: 'def5678' } }
  const both = withOutcome(record, 'fan-out', newer)
  t.same(both.failed, [])
  t.same(both.results.map(({ name }) => name), ['fan-out', 'codec'], 'in the order of the page')
  const failed = withOutcome(both, 'fan-out', new Error('it broke'))
  t.same(failed.results, both.results)
  t.same(failed.failed, [{ name: 'fan-out', why: 'it broke' }])
})

t.test('what is asked for is read, and what makes no sense is refused', async (t) => {
  t.match(readArguments([]), { names: usual, rounds: null, quick: false })
  t.match(readArguments(['--only', 'codec,turn-limits', '--rounds', '9']), { names: ['codec', 'turn-limits'], rounds: 9 })
  t.match(readArguments(['--all']), { names: benchmarks })
  t.equal(readArguments(['--help']), 'help')
  for (const args of [['--only', 'nothing'], ['--rounds', '0'], ['--rounds', 'many'], ['--else']]) t.throws(() => readArguments(args), args.join(' '))
  const isKept = (...args: string[]): boolean => isForTheRecord(readArguments(args) as Exclude<ReturnType<typeof readArguments>, 'help'>)
  t.ok(isKept())
  t.ok(isKept('--rounds', '5'))
  t.notOk(isKept('--rounds', '4'), 'too few rounds to say how far figures spread')
  t.notOk(isKept('--quick'))
})
