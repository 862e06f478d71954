import type { Dialect } from './dialect.ts'
import type { Server } from './wire.ts'

/** A person with a connection, which is idle but for one question at a time. */
export interface Session {
  readonly bytesRead: number
  /** Hands on the text of the reply, a frame or an event at a time; resolves at its end. Rejects where it does not end as it should. */
  ask(question: string, onText: (text: string) => void): Promise<void>
  leave(): void
}

/** `userId` is told to servers that ask no key. Rejects where the server refuses. */
export type OpenSession = (server: Server, userId: string) => Promise<Session>

export type Dialects = Readonly<Record<Dialect, OpenSession>>
