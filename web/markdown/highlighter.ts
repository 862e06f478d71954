import { createCssVariablesTheme, createHighlighterCore, type GrammarState, type HighlighterCore } from 'shiki/core'
import { createJavaScriptRegexEngine } from 'shiki/engine/javascript'
import { grammarOf } from './languages.ts'

export interface CodeToken {
  readonly text: string
  /** Of the style sheet; undefined: as the text around it. */
  readonly className: string | undefined
}

export type CodeLine = readonly CodeToken[]

/** Colours the lines of one block, which may grow while it is shown. */
export interface BlockHighlighter {
  lines(code: string): readonly CodeLine[]
}

const theme = 'page'
// Beyond this a line is shown plain: grammars may take long over minified code.
const longestLine = 2000
const prefix = '--code-'

let core: Promise<HighlighterCore> | undefined
const loaded = new Map<string, Promise<HighlighterCore>>()

/** `language` is one of ours. Rejects where the grammar cannot be fetched. */
export async function createBlockHighlighter(language: string): Promise<BlockHighlighter> {
  core ??= createHighlighterCore({
    themes: [createCssVariablesTheme({ name: theme, variablePrefix: prefix, variableDefaults: {} })],
    langs: [],
    engine: createJavaScriptRegexEngine({ forgiving: true })
  })
  let ready = loaded.get(language)
  if (ready === undefined) {
    ready = core.then(async (highlighter) => {
      const grammar = grammarOf(language)
      if (grammar !== undefined) await highlighter.loadLanguage(grammar)
      return highlighter
    })
    loaded.set(language, ready)
    // Fetched anew for the next block, if the network was away.
    ready.catch(() => loaded.delete(language))
  }
  return new GrowingBlock(await ready, language)
}

/** Keeps the colours and the grammar's state of the lines that are complete, so that a delta costs one line and not the whole block. */
class GrowingBlock implements BlockHighlighter {
  readonly #highlighter: HighlighterCore
  readonly #language: string
  #done = ''
  #lines: CodeLine[] = []
  #state: GrammarState | undefined

  constructor(highlighter: HighlighterCore, language: string) {
    this.#highlighter = highlighter
    this.#language = language
  }

  lines(code: string): readonly CodeLine[] {
    if (!code.startsWith(this.#done)) {
      this.#done = ''
      this.#lines = []
      this.#state = undefined
    }
    const complete = code.lastIndexOf('\n') + 1
    if (complete > this.#done.length) {
      // Without its last line break, which would begin one more line.
      this.#lines = [...this.#lines, ...this.#colour(code.slice(this.#done.length, complete - 1), true)]
      this.#done = code.slice(0, complete)
    }
    return [...this.#lines, ...this.#colour(code.slice(complete), false)]
  }

  #colour(text: string, keepState: boolean): CodeLine[] {
    const tokens = this.#highlighter.codeToTokensBase(text, {
      lang: this.#language,
      theme,
      tokenizeMaxLineLength: longestLine,
      ...(this.#state === undefined ? {} : { grammarState: this.#state })
    })
    if (keepState) this.#state = this.#highlighter.getLastGrammarState(tokens)
    return tokens.map((line) => line.map(({ content, color }) => ({ text: content, className: classOf(color) })))
  }
}

/** The theme names colours by variables (`var(--code-token-keyword)`), which become classes: a strict content security policy allows no styles in markup. */
function classOf(color: string | undefined): string | undefined {
  const name = color === undefined ? undefined : /^var\(--code-token-([a-z-]+)/.exec(color)?.[1]
  return name === undefined ? undefined : `code-${name}`
}
