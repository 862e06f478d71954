/**
 * What the smallest pipeline's edge and bridge say to each other over NATS. A batch is lines of `<reply> <text>`, the text
 * as it stands in JSON, which has no line ends.
 */
export interface Job {
  /** The subject that its edge reads. */
  readonly edge: string
  readonly reply: number
  readonly message: string
}

export interface BridgeSettings {
  readonly natsUrl: string
  readonly engineUrl: string
}

export interface EdgeSettings {
  readonly natsUrl: string
}

export const jobsSubject = 'jobs'
export const batchMs = 5

/** After a reply's last text: no string in JSON has it unescaped. */
export const endOfReply = '\t'
