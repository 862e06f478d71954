/** Where a turn is found. */
export interface TurnAddresses {
  /** `GET` for a turn as it stands, and for the reply as a stream. */
  readonly statusUrl: string
  readonly streamEndpoint: string
}

export function turnAddresses(turnId: string): TurnAddresses {
  return { statusUrl: `/turns/${turnId}`, streamEndpoint: `/stream/${turnId}` }
}
