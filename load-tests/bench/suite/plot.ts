/** Bars for a table that compares, as SVG that follows the reader's light or dark. */
import { labelOf, withUnit } from '../markdown.ts'
import { spread } from '../measure.ts'
import type { Table } from '../result.ts'

const [width, rowHeight, characterWidth, valueWidth] = [760, 26, 7, 110] as const
/** Two are told apart by their numbers. */
const leastBars = 3

/** Null where the table compares nothing, or too few for a picture. */
export function plotOf(table: Table): string | null {
  const bars = table.contestants.flatMap((contestant) => {
    const figure = contestant.figures.find((each) => each.name === table.compared)
    return figure === undefined ? [] : [{ name: labelOf(contestant), isOurs: contestant.isOurs === true, unit: figure.unit, ...spread(figure.samples) }]
  })
  if (bars.length < leastBars) return null
  const nameWidth = 16 + characterWidth * Math.max(...bars.map(({ name }) => name.length))
  const widest = Math.max(...bars.map(({ max }) => max))
  const x = (value: number): number => Math.round(nameWidth + (Math.max(0, value) / widest) * (width - nameWidth - valueWidth))
  const height = (bars.length + 1) * rowHeight + 8
  const rows = bars.map(({ name, isOurs, unit, median, min, max }, index) => {
    const y = (index + 1) * rowHeight
    const middle = y + rowHeight / 2
    return [
      `<text x="${nameWidth - 8}" y="${middle + 4}" text-anchor="end">${escaped(name)}</text>`,
      `<rect class="${isOurs ? 'ours' : 'other'}" x="${nameWidth}" y="${y + 4}" width="${x(median) - nameWidth}" height="${rowHeight - 8}" rx="2"/>`,
      `<path class="range" d="M${x(min)} ${middle}H${x(max)}"/>`,
      `<text x="${x(max) + 8}" y="${middle + 4}">${escaped(withUnit(median, unit))}</text>`,
    ].join('')
  })
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" role="img">
<title>${escaped(`${table.title}: ${table.compared ?? ''}`)}</title>
<style>text{font:13px system-ui,sans-serif;fill:#24292f}.head{font-weight:600}.ours{fill:#0969da}.other{fill:#afb8c1}.range{stroke:#57606a;stroke-width:2}@media(prefers-color-scheme:dark){text{fill:#e6edf3}.ours{fill:#4493f8}.other{fill:#57606a}.range{stroke:#d0d7de}}</style>
<text class="head" x="8" y="${rowHeight - 8}">${escaped(`${table.title}: ${table.compared ?? ''}`)}</text>
${rows.join('\n')}
</svg>
`
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}
