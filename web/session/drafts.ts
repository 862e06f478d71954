/** The field that the reader writes in. */
export interface DraftField {
  read(): string
  write(text: string): void
}

/** Drafts kept, one a conversation. Beyond it the oldest is forgotten. */
const bound = 50

/** What was begun in each conversation (null: in a new one), as long as the page is there. */
export class Drafts {
  readonly #kept = new Map<number | null, string>()
  #field: DraftField | null = null

  /** Fills a field that appears, which has the draft from then on. Answers how to take it away. */
  attach(conversationId: number | null, field: DraftField): () => void {
    this.#field = field
    const draft = this.#kept.get(conversationId)
    this.#kept.delete(conversationId)
    if (draft !== undefined) field.write(draft)
    return () => {
      if (this.#field === field) this.#field = null
    }
  }

  /** Remembers what stands in the field, before another conversation takes its place. */
  keep(conversationId: number | null): void {
    const draft = this.#field?.read() ?? ''
    this.#field = null
    this.#kept.delete(conversationId)
    if (draft !== '') this.#kept.set(conversationId, draft)
    const [oldest] = this.#kept.keys()
    if (this.#kept.size > bound && oldest !== undefined) this.#kept.delete(oldest)
  }

  /** Gives back what could not be sent, unless something else was begun. */
  restore(text: string): void {
    if (this.#field?.read() === '') this.#field.write(text)
  }
}
