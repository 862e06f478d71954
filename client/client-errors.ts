import { ChatError, errorCatalogue, type ErrorCode, type ErrorDefinition } from '../protocol/errors.ts'
import { closeCodes } from '../protocol/websocket/close-codes.ts'

/** The client was closed, by its own user, before the answer came. What was sent may have been carried out. */
export class ClientClosedError extends Error {
  override readonly name = 'ClientClosedError'

  constructor() {
    super('The client was closed.')
  }
}

/** An error as the server told it. A newer server may use codes that this version does not know: see `definition.retryable`. */
export class ServerError extends ChatError {
  /** JSON pointer to the field at fault. */
  readonly pointer: string | undefined
  readonly #retryable: boolean

  constructor(told: { readonly code: string; readonly message: string; readonly retryable: boolean; readonly retry_after_ms?: number; readonly pointer?: string }) {
    super(told.code as ErrorCode, told.message, told.retry_after_ms === undefined ? {} : { retryAfterMs: told.retry_after_ms })
    this.#retryable = told.retryable
    this.pointer = told.pointer
  }

  override get definition(): ErrorDefinition {
    const known: ErrorDefinition = Object.hasOwn(errorCatalogue, this.code) ? errorCatalogue[this.code] : { message: this.message, status: 500, retryable: false }
    return { ...known, retryable: this.#retryable }
  }
}

/** Why the server closed the connection, where it said nothing but the code. */
export function errorOfCloseCode(code: number): ChatError {
  const codes = Object.keys(errorCatalogue) as ErrorCode[]
  const errorCode = codes.find((name) => (errorCatalogue[name] as ErrorDefinition).closeCode === code) ?? 'unavailable'
  const name = (closeCodes as Record<number, { name: string }>)[code]?.name ?? 'unknown reason'
  return new ChatError(errorCode, `The server closed the connection: ${name} (${code}).`)
}
