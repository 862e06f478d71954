/** Who a client is. One adapter a mode of authentication. */
export interface Credentials {
  readonly token?: string | undefined
  /** What the client says of itself; only mode `none` believes it. */
  readonly userId?: string | undefined
}

export interface Identity {
  readonly userId: string
}

export interface Authenticator {
  /** Rejects with ChatError `unauthenticated` or `forbidden`; with another of the catalogue where it cannot be told now. */
  authenticate(credentials: Credentials): Promise<Identity>
}
