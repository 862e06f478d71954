/**
 * How many of something may be under way at a time, for somebody. A lease has a name that whoever ends what it stands for
 * knows, on whichever process, and ends by itself. Nothing here rejects, and what cannot be counted is allowed: a count
 * that only this process held would not hear of what ends elsewhere.
 */
export interface LeaseHolder {
  readonly key: string
  /** Leases at a time. */
  readonly most: number
}

export interface LeaseRequest {
  readonly id: string
  /** All of them have it, or none. */
  readonly holders: readonly LeaseHolder[]
  /** It ends by itself after this. Positive. */
  readonly forMs: number
  /** Told to whoever gives it back. At most 1,000 characters. */
  readonly note: string
}

export type LeaseVerdict =
  /** `isNew`: it was not held before. */
  | { readonly allowed: true; readonly isNew: boolean }
  /** `key` has as many as it may. */
  | { readonly allowed: false; readonly key: string }

export interface Leases {
  /** Taking what is held already changes nothing, and is allowed. */
  take(request: LeaseRequest): Promise<LeaseVerdict>
  /** What it was taken with; null where it is not known. Once more: null. */
  giveBack(id: string): Promise<{ readonly keys: readonly string[]; readonly note: string } | null>
}
