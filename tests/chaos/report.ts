/** What a run found, by fault. */
import type { Finding, FindingKind } from './checker/evidence.ts'
import type { EpisodeResult, Inflicted } from './episode.ts'

const counted = { losses: 'loss', doubles: 'double', reorders: 'reorder', errors: 'error', leaks: 'leak' } as const satisfies Record<string, FindingKind>
type Column = keyof typeof counted

interface Row {
  runs: number
  findings: Record<Column, number>
  longestReplyMs: number
  longestAcceptanceMs: number
}

export class Report {
  readonly #rows = new Map<string, Row>()
  #findings = 0
  #turns = 0

  add({ evidence, findings, inflicted }: EpisodeResult): void {
    this.#turns += evidence.sent.length
    this.#findings += findings.length
    for (const { fault, pauses } of inflicted) {
      const row = this.#row(fault)
      row.runs += 1
      row.longestReplyMs = Math.max(row.longestReplyMs, pauses.reply)
      row.longestAcceptanceMs = Math.max(row.longestAcceptanceMs, pauses.acceptance)
    }
    for (const finding of findings) {
      const row = this.#row(faultOf(finding, inflicted))
      for (const [column, kind] of Object.entries(counted)) if (finding.kind === kind) row.findings[column as Column] += 1
    }
  }

  get findings(): number {
    return this.#findings
  }

  table(): string {
    const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`
    const header = ['fault', 'runs', ...Object.keys(counted), 'longest pause of a reply', 'longest wait for acceptance']
    const rows = [...this.#rows].map(([fault, row]) => [fault, String(row.runs), ...Object.values(row.findings).map(String), seconds(row.longestReplyMs), seconds(row.longestAcceptanceMs)])
    const widths = header.map((_, column) => Math.max(...[header, ...rows].map((row) => (row[column] ?? '').length)))
    const lines = [header, ...rows].map((row) => row.map((cell, column) => (column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0))).join('  '))
    return `${lines.join('\n')}\n${this.#turns} turns`
  }

  #row(fault: string): Row {
    const held = this.#rows.get(fault)
    if (held !== undefined) return held
    const row: Row = { runs: 0, findings: { losses: 0, doubles: 0, reorders: 0, errors: 0, leaks: 0 }, longestReplyMs: 0, longestAcceptanceMs: 0 }
    this.#rows.set(fault, row)
    return row
  }
}

/** That which had begun last when it happened; where no time is known, the last of all. */
export function faultOf({ at }: Finding, inflicted: readonly Inflicted[]): string {
  const before = inflicted.filter(({ window }) => at === null || window.from <= at)
  return (before.at(-1) ?? inflicted[0])?.fault ?? 'none'
}

export function describe({ kind, what, conversationId, turnId, at }: Finding): string {
  const where = [conversationId === null ? '' : `conversation ${conversationId}`, turnId === null ? '' : `turn ${turnId}`, at === null ? '' : `at ${new Date(at).toISOString()}`].filter((part) => part !== '')
  return `${kind}: ${what}${where.length === 0 ? '' : ` (${where.join(', ')})`}`
}
