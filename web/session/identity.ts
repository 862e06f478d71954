import { randomName } from './random-name.ts'

const key = 'chatterbot.user'

/**
 * Who the reader is to a server without authentication: a random name, kept in the browser so that a reload finds the
 * conversations again. Where the browser keeps nothing, as some private windows do, it lasts as long as the page.
 */
export function rememberedUser(storage: () => Storage): string {
  const fresh = `web-${randomName()}`
  try {
    const known = storage().getItem(key)
    if (known !== null && known.length > 0 && known.length <= 128) return known
    storage().setItem(key, fresh)
  } catch {
    // Reading localStorage throws where it is forbidden, writing where it is full.
  }
  return fresh
}
