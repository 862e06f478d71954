/** Lines of the README's table of numbers, made of what was measured. */
import { withUnit } from './markdown.ts'
import { spread } from './measure.ts'
import type { Contestant, Headline, Table } from './result.ts'

/** Ours beside the contestants named, by the figure that the table compares. */
export function headline(what: string, table: Table, ...beside: readonly string[]): Headline {
  const said = (contestant: Contestant | undefined): string | undefined => {
    const figure = contestant?.figures.find((each) => each.name === table.compared)
    return figure === undefined ? undefined : withUnit(spread(figure.samples).median, figure.unit)
  }
  return {
    what,
    figure: said(table.contestants.find(({ isOurs }) => isOurs)) ?? '',
    beside: beside.flatMap((name) => {
      const contestant = table.contestants.find((each) => each.name === name)
      const value = said(contestant)
      return contestant === undefined || value === undefined ? [] : [`${value}, ${name}${contestant.isSaturated ? ' (saturated)' : ''}`]
    }).join('; '),
  }
}
