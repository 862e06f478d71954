import type { ChatClient, ConversationSummary } from '../../client/client.ts'
import { Observable } from './observable.ts'
import type { ConversationEntry, ListView } from './views.ts'

const pageSize = 40

/** The user's conversations, the most recent first, page by page; and what this page knows of them before the server is asked again. */
export class ConversationList {
  readonly view = new Observable<ListView>({ entries: [], more: false, status: 'loading' })
  readonly #client: ChatClient
  /** Which question counts: answers to those before are out of date. */
  #asked = 0

  constructor(client: ChatClient) {
    this.#client = client
  }

  /** Asks for the first page anew. */
  refresh(): void {
    this.#ask({ limit: pageSize }, (page, hasMore) => {
      const { entries, more } = this.view.get()
      const ids = new Set(page.map(({ id }) => id))
      const last = page.at(-1)
      // Further pages that were fetched stay, as what the first page now holds has only moved up.
      const further = hasMore && last !== undefined ? entries.filter(({ id, updatedAt }) => !ids.has(id) && updatedAt <= last.updatedAt) : []
      return { entries: [...page, ...further], more: further.length > 0 ? more : hasMore, status: 'ready' }
    })
  }

  more(): void {
    const before = this.view.get().entries.at(-1)?.id
    if (before === undefined) return this.refresh()
    this.#ask({ before, limit: pageSize }, (page, hasMore) => {
      const { entries } = this.view.get()
      const ids = new Set(entries.map(({ id }) => id))
      return { entries: [...entries, ...page.filter(({ id }) => !ids.has(id))], more: hasMore, status: 'ready' }
    })
  }

  /** Something is said in a conversation: it is the most recent one now. */
  touch(id: number, title: string | null): void {
    const { entries, ...rest } = this.view.get()
    const known = entries.find((entry) => entry.id === id)
    const touched = { id, title: title ?? known?.title ?? null, updatedAt: new Date().toISOString() }
    this.view.set({ ...rest, entries: [touched, ...entries.filter((entry) => entry.id !== id)] })
  }

  retitle(id: number, title: string | null): void {
    const { entries, ...rest } = this.view.get()
    if (title === null || !entries.some((entry) => entry.id === id && entry.title !== title)) return
    this.view.set({ ...rest, entries: entries.map((entry) => (entry.id === id ? { ...entry, title } : entry)) })
  }

  remove(id: number): void {
    const { entries, ...rest } = this.view.get()
    if (entries.some((entry) => entry.id === id)) this.view.set({ ...rest, entries: entries.filter((entry) => entry.id !== id) })
  }

  titleOf(id: number): string | null {
    return this.view.get().entries.find((entry) => entry.id === id)?.title ?? null
  }

  #ask(page: { readonly before?: number; readonly limit: number }, merge: (entries: readonly ConversationEntry[], hasMore: boolean) => ListView): void {
    const asked = ++this.#asked
    this.view.set({ ...this.view.get(), status: 'loading' })
    this.#client.listConversations(page).then(
      ({ conversations, hasMore }) => {
        if (asked === this.#asked) this.view.set(merge(conversations.map(toEntry), hasMore))
      },
      () => {
        if (asked === this.#asked) this.view.set({ ...this.view.get(), status: 'failed' })
      },
    )
  }
}

function toEntry({ id, title, updatedAt }: ConversationSummary): ConversationEntry {
  return { id, title, updatedAt }
}
