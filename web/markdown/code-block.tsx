import { memo, useEffect, useMemo, useRef, useState } from 'react'
import { useIsCodeFenceIncomplete } from 'streamdown'
import { CopyButton } from './copy-button.tsx'
import type { BlockHighlighter, CodeLine } from './highlighter.ts'
import { labelOf, languageOf } from './languages.ts'

/** A fenced block: what language it is in, a button that copies it, and its lines, coloured as soon as the grammar is here. */
export function CodeBlock({ fence, code }: { readonly fence: string; readonly code: string }) {
  const growing = useIsCodeFenceIncomplete()
  const text = code.endsWith('\n') ? code.slice(0, -1) : code
  const highlighter = useHighlighter(fence)
  const lines = useMemo(() => highlighter?.lines(text), [highlighter, text])
  const label = labelOf(fence)
  return (
    <figure className="code-block" aria-label={`Code: ${label}`}>
      <figcaption>
        <span>{label}</span>
        <CopyButton text={text} label="Copy code" disabled={growing} />
      </figcaption>
      {/* Keyboards can scroll only what can have the focus. */}
      <pre tabIndex={0} dir="ltr">
        <code>{lines === undefined ? text : lines.map((line, at) => <Line key={at} line={line} />)}</code>
      </pre>
    </figure>
  )
}

const Line = memo(function Line({ line }: { readonly line: CodeLine }) {
  return (
    <span className="code-line">
      {line.map(({ text, className }, at) => (
        <span key={at} className={className}>
          {text}
        </span>
      ))}
      {'\n'}
    </span>
  )
})

function useHighlighter(fence: string): BlockHighlighter | undefined {
  const [highlighter, setHighlighter] = useState<BlockHighlighter>()
  const language = languageOf(fence)
  const wanted = useRef(language)
  wanted.current = language
  useEffect(() => {
    setHighlighter(undefined)
    if (language === undefined) return
    import('./highlighter.ts')
      .then(({ createBlockHighlighter }) => createBlockHighlighter(language))
      .then(
        (made) => {
          if (wanted.current === language) setHighlighter(made)
        },
        // Plain code is readable too, and the next block tries again.
        () => {},
      )
  }, [language])
  return highlighter
}
