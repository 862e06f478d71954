/** Lines of the README's table of numbers, made of what was measured. */
import { withUnit } from './markdown.ts'
import { spread } from './measure.ts'
import type { Headline, Table } from './result.ts'

/** Ours beside the contestants named, by the figure that the table compares. */
export function headline(what: string, table: Table, ...beside: readonly string[]): Headline {
  const said = (name?: string): string | undefined => {
    const figure = table.contestants.find((each) => (name === undefined ? each.isOurs : each.name === name))?.figures.find((each) => each.name === table.compared)
    return figure === undefined ? undefined : withUnit(spread(figure.samples).median, figure.unit)
  }
  return {
    what,
    figure: said() ?? '',
    beside: beside.flatMap((name) => {
      const value = said(name)
      return value === undefined ? [] : [`${value}, ${name}`]
    }).join('; '),
  }
}
