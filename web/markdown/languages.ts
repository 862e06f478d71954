import type { LanguageInput } from 'shiki/core'

interface Language {
  /** As people write it. */
  readonly label: string
  /** Other names that a code fence may give it. */
  readonly aliases?: readonly string[]
  /** Fetched when the first block in this language is shown. */
  readonly grammar: LanguageInput
}

const languages = new Map<string, Language>(
  Object.entries({
    bash: { label: 'Shell', aliases: ['sh', 'shell', 'zsh', 'console', 'shellscript'], grammar: () => import('shiki/langs/bash.mjs') },
    c: { label: 'C', aliases: ['h'], grammar: () => import('shiki/langs/c.mjs') },
    cpp: { label: 'C++', aliases: ['c++', 'cc', 'hpp'], grammar: () => import('shiki/langs/cpp.mjs') },
    csharp: { label: 'C#', aliases: ['c#', 'cs'], grammar: () => import('shiki/langs/csharp.mjs') },
    css: { label: 'CSS', grammar: () => import('shiki/langs/css.mjs') },
    diff: { label: 'Diff', aliases: ['patch'], grammar: () => import('shiki/langs/diff.mjs') },
    docker: { label: 'Dockerfile', aliases: ['dockerfile'], grammar: () => import('shiki/langs/docker.mjs') },
    go: { label: 'Go', aliases: ['golang'], grammar: () => import('shiki/langs/go.mjs') },
    html: { label: 'HTML', aliases: ['xml', 'svg'], grammar: () => import('shiki/langs/html.mjs') },
    java: { label: 'Java', grammar: () => import('shiki/langs/java.mjs') },
    javascript: { label: 'JavaScript', aliases: ['js', 'mjs', 'cjs', 'node'], grammar: () => import('shiki/langs/javascript.mjs') },
    json: { label: 'JSON', aliases: ['jsonc', 'json5'], grammar: () => import('shiki/langs/json.mjs') },
    kotlin: { label: 'Kotlin', aliases: ['kt'], grammar: () => import('shiki/langs/kotlin.mjs') },
    markdown: { label: 'Markdown', aliases: ['md'], grammar: () => import('shiki/langs/markdown.mjs') },
    php: { label: 'PHP', grammar: () => import('shiki/langs/php.mjs') },
    python: { label: 'Python', aliases: ['py', 'python3'], grammar: () => import('shiki/langs/python.mjs') },
    ruby: { label: 'Ruby', aliases: ['rb'], grammar: () => import('shiki/langs/ruby.mjs') },
    rust: { label: 'Rust', aliases: ['rs'], grammar: () => import('shiki/langs/rust.mjs') },
    sql: { label: 'SQL', aliases: ['postgresql', 'postgres', 'mysql', 'sqlite'], grammar: () => import('shiki/langs/sql.mjs') },
    swift: { label: 'Swift', grammar: () => import('shiki/langs/swift.mjs') },
    toml: { label: 'TOML', aliases: ['ini'], grammar: () => import('shiki/langs/toml.mjs') },
    tsx: { label: 'TSX', aliases: ['jsx'], grammar: () => import('shiki/langs/tsx.mjs') },
    typescript: { label: 'TypeScript', aliases: ['ts', 'mts', 'cts'], grammar: () => import('shiki/langs/typescript.mjs') },
    yaml: { label: 'YAML', aliases: ['yml'], grammar: () => import('shiki/langs/yaml.mjs') }
  } satisfies Record<string, Language>),
)

const names = new Map([...languages].flatMap(([name, { aliases = [] }]) => [name, ...aliases].map((alias) => [alias, name] as const)))

/** Our name of the language that a code fence asks for; undefined where it has no grammar here. */
export function languageOf(fence: string): string | undefined {
  return names.get(fence.toLowerCase())
}

export function grammarOf(name: string): LanguageInput | undefined {
  return languages.get(name)?.grammar
}

/** What stands above a block of code. A language without a grammar is called what the fence calls it. */
export function labelOf(fence: string): string {
  const name = languageOf(fence)
  return (name === undefined ? undefined : languages.get(name)?.label) ?? (fence === '' ? 'Text' : fence)
}
