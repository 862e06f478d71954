/**
 * What a benchmark finds out. It hands over the samples of its rounds; medians, ranges, ratios and whether an aim is met
 * are made of them in one place, so that no page says more than was measured.
 */

/** One quantity, measured once a round. */
export interface Figure {
  readonly name: string
  /** As it stands behind a number: `ms`, `s`, `KiB`, `a second`; empty for a bare count. */
  readonly unit: string
  readonly samples: readonly number[]
}

/** Who did the work: the project, a peer, a floor, or another way to do the same. */
export interface Contestant {
  readonly name: string
  /** Of the peer, where it is something with versions. */
  readonly version?: string | undefined
  readonly isOurs?: true
  /** It did not keep up with what was asked of it. */
  readonly isSaturated?: true
  readonly figures: readonly Figure[]
}

/** Contestants that did the same work in the same run. */
export interface Table {
  /** What the work was, e.g. `1,000 streams of 50 tokens a second`. */
  readonly title: string
  readonly contestants: readonly Contestant[]
  /** Name of the figure by which ours is set against each other's. */
  readonly compared?: string
}

/** What a figure is to be. */
export interface Aim {
  /** Of what, e.g. `CPU of the edge a token, to the smallest pipeline's, 1,000 streams`. */
  readonly what: string
  readonly is: 'at most' | 'at least' | 'less than'
  readonly bound: number
  /** As it stands behind both numbers; `×` for a ratio. */
  readonly unit: string
  /** Null where it could not be measured, because a peer was left out. */
  readonly measured: number | null
  /** Why it is missed, in a sentence; said only then. */
  readonly reason: string
}

/** A line of the README's table of numbers. */
export interface Headline {
  readonly what: string
  /** Ours, with its unit. */
  readonly figure: string
  /** The peers' or the floor's, with their names and units; empty where there is none. */
  readonly beside: string
}

/** Of one run of one benchmark. */
export interface Findings {
  readonly tables: readonly Table[]
  readonly aims?: readonly Aim[]
  readonly headlines?: readonly Headline[]
  /** Who could not be had on this machine, and why. */
  readonly leftOut?: readonly { readonly name: string; readonly why: string }[]
  /** Sentences for whoever reads the figures. */
  readonly remarks?: readonly string[]
}

/** Where and when it was measured. */
export interface Circumstances {
  /** ISO 8601, when it began. */
  readonly at: string
  readonly tookS: number
  readonly commit: string
  readonly cores: number
  readonly cpu: string
  readonly memoryGiB: number
  readonly kernel: string
  readonly node: string
  /** Share of all cores that was in use before it began, from 0 to 1: what else the machine did. */
  readonly busyBefore: number
}

export interface Result extends Findings {
  readonly name: string
  readonly title: string
  /** What it answers. */
  readonly question: string
  /** As it was run: its options, the given and the usual ones. */
  readonly options: Readonly<Record<string, number | string>>
  readonly circumstances: Circumstances
}

export function isMet({ is, bound, measured }: Aim): boolean {
  if (measured === null) return false
  return is === 'at most' ? measured <= bound : is === 'at least' ? measured >= bound : measured < bound
}
