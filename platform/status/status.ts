/** What operators and load balancers are told of a process. */

/** Something that the process needs to do its work. */
export interface ReadinessPart {
  readonly name: string
  /** Null: it is ready; else what is missing, in words for people. */
  missing(): string | null
}

export interface Readiness {
  readonly ready: boolean
  readonly missing: readonly { readonly part: string; readonly reason: string }[]
}

/** Well as long as the process lives: a failing check would have it restarted, which mends nothing outside of it. */
export function healthOf(node: string): { readonly status: 'ok'; readonly node: string; readonly uptime_s: number } {
  return { status: 'ok', node, uptime_s: Math.round(process.uptime()) }
}

export function readinessOf(parts: readonly ReadinessPart[]): Readiness {
  const missing = parts.flatMap((part) => {
    const reason = part.missing()
    return reason === null ? [] : [{ part: part.name, reason }]
  })
  return { ready: missing.length === 0, missing }
}
