import { JetStreamApiError } from '@nats-io/jetstream'

/** The server has no "create or update", and refuses to create what exists with another configuration: with `exists`, one of its codes. */
export async function makeOrUpdate<T>(make: Promise<T>, exists: number, update: () => Promise<T>): Promise<T> {
  try {
    return await make
  } catch (error) {
    if (!isApiError(error, exists)) throw error
    return await update()
  }
}

export function isApiError(error: unknown, code: number): boolean {
  return error instanceof JetStreamApiError && error.code === code
}

export const streamNotFound = 10059
export const streamNameInUse = 10058
export const consumerExists = 10148
