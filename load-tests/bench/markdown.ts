/** A benchmark's findings as Markdown. */
import { spread } from './measure.ts'
import { isMet, type Aim, type Contestant, type Figure, type Result, type Table } from './result.ts'

/** Three digits that say something, or all of a whole number. */
export function number(value: number): string {
  if (Number.isInteger(value) || Math.abs(value) >= 100) return value.toLocaleString('en', { maximumFractionDigits: 0 })
  return value.toPrecision(3)
}

export function withUnit(value: number, unit: string): string {
  return unit === '' ? number(value) : unit === '×' ? `${number(value)}×` : `${number(value)} ${unit}`
}

/** `nginx (1.22.1)`, `LiteLLM (1.108.7, saturated)`: with its version, and whether it kept up. */
export function labelOf({ name, version, isSaturated }: Contestant): string {
  const remarks = [version, isSaturated ? 'saturated' : undefined].filter((part) => part !== undefined)
  return remarks.length === 0 ? name : `${name} (${remarks.join(', ')})`
}

/** Of one contestant, its figures below each other; of several, a line for each. */
export function tableLines(table: Table): string[] {
  const [first, ...others] = table.contestants
  return first === undefined ? [] : others.length === 0 ? figuresDown(first) : contestantsDown(table)
}

export function aimLines(aims: readonly Aim[]): string[] {
  if (aims.length === 0) return []
  return ['| aim | measured | |', '|---|---|---|', ...aims.map((aim) => `| ${aim.what}: ${aim.is} ${withUnit(aim.bound, aim.unit)} | ${aim.measured === null ? '' : withUnit(aim.measured, aim.unit)} | ${verdict(aim)} |`)]
}

function verdict(aim: Aim): string {
  return aim.measured === null ? 'not measured' : isMet(aim) ? 'met' : `**missed**: ${aim.reason}`
}

function figuresDown({ figures }: Contestant): string[] {
  return [
    '| figure | median | range |',
    '|---|---|---|',
    ...figures.map(({ name, unit, samples }) => {
      const { median, min, max } = spread(samples)
      return `| ${name} | ${withUnit(median, unit)} | ${samples.length < 2 ? '' : `${number(min)} to ${number(max)}`} |`
    }),
  ]
}

function contestantsDown({ contestants, compared }: Table): string[] {
  const columns = new Map<string, Figure>()
  for (const { figures } of contestants) for (const figure of figures) if (!columns.has(figure.name)) columns.set(figure.name, figure)
  const valueOf = (contestant: Contestant, name: string): readonly number[] | undefined => contestant.figures.find((figure) => figure.name === name)?.samples
  const ours = contestants.find(({ isOurs }) => isOurs)
  const ratio = (contestant: Contestant): string => {
    const [mine, theirs] = [ours, contestant].map((each) => (each === undefined || compared === undefined ? undefined : valueOf(each, compared)))
    return mine === undefined || theirs === undefined || contestant === ours ? '' : number(spread(mine).median / spread(theirs).median)
  }
  const head = ['', ...[...columns.values()].map(({ name, unit }) => (unit === '' ? name : `${name}, ${unit}`)), ...(compared === undefined ? [] : [`ours to it, ${compared}`])]
  const rows = contestants.map((contestant) => {
    const name = labelOf(contestant)
    return [contestant.isOurs ? `**${name}**` : name, ...[...columns.keys()].map((column) => cell(valueOf(contestant, column))), ...(compared === undefined ? [] : [ratio(contestant)])]
  })
  return [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`)
}

function cell(samples: readonly number[] | undefined): string {
  if (samples === undefined) return ''
  const { median, min, max } = spread(samples)
  return samples.length < 2 ? number(median) : `${number(median)} (${number(min)} to ${number(max)})`
}

/** All that was found, below a heading. */
export function resultLines(result: Result, heading: '##' | '###'): string[] {
  const { title, question, tables, aims = [], leftOut = [], remarks = [] } = result
  return [
    `${heading} ${title}`,
    '',
    `${question} (\`${result.name}.bench\`)`,
    '',
    ...tables.flatMap((table) => [`**${table.title}**`, '', ...tableLines(table), '']),
    ...(aims.length === 0 ? [] : [...aimLines(aims), '']),
    ...(leftOut.length === 0 ? [] : [`Left out, as this machine has none: ${leftOut.map(({ name, why }) => `${name} (${why})`).join('; ')}.`, '']),
    ...remarks.flatMap((remark) => [remark, '']),
  ]
}
