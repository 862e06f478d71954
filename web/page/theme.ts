import { Observable } from '../session/observable.ts'

export type Theme = 'system' | 'light' | 'dark'

const key = 'chatterbot.theme'
const themes: readonly Theme[] = ['system', 'light', 'dark']

/** The look that the reader chose, put on the document's root. Where the browser keeps nothing, it lasts as long as the page. */
export class ThemeChoice {
  readonly theme: Observable<Theme>
  readonly #storage: () => Storage

  constructor(storage: () => Storage) {
    this.#storage = storage
    this.theme = new Observable(this.#remembered())
    this.#apply()
  }

  choose(theme: Theme): void {
    this.theme.set(theme)
    this.#apply()
    try {
      this.#storage().setItem(key, theme)
    } catch {
      // It holds for this page, then.
    }
  }

  #remembered(): Theme {
    try {
      const kept = this.#storage().getItem(key)
      return themes.find((theme) => theme === kept) ?? 'system'
    } catch {
      return 'system'
    }
  }

  #apply(): void {
    const theme = this.theme.get()
    if (theme === 'system') delete document.documentElement.dataset['theme']
    else document.documentElement.dataset['theme'] = theme
  }
}
