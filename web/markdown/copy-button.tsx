import { useEffect, useRef, useState } from 'react'
import { CheckIcon, CopyIcon } from '../page/icons.tsx'

interface CopyButtonProps {
  readonly text: string
  readonly label: string
  readonly disabled?: boolean
}

const shownForMs = 2000

/** Copies, and says for a moment whether that worked. */
export function CopyButton({ text, label, disabled = false }: CopyButtonProps) {
  const [outcome, setOutcome] = useState<'copied' | 'failed'>()
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined)
  useEffect(() => () => clearTimeout(timer.current), [])

  const tell = (told: 'copied' | 'failed') => {
    setOutcome(told)
    clearTimeout(timer.current)
    timer.current = setTimeout(() => setOutcome(undefined), shownForMs)
  }
  const copy = () => {
    writeClipboard(text).then(
      () => tell('copied'),
      () => tell('failed'),
    )
  }
  const name = outcome === 'copied' ? 'Copied' : outcome === 'failed' ? 'Copying failed' : label
  return (
    <button type="button" className="quiet-button" aria-label={name} title={name} aria-live="polite" disabled={disabled} onClick={copy}>
      {outcome === 'copied' ? <CheckIcon /> : <CopyIcon />}
    </button>
  )
}

/** Browsers offer the clipboard only to pages from HTTPS or this machine; elsewhere the selection is copied, as of old. */
async function writeClipboard(text: string): Promise<void> {
  if (window.isSecureContext) return navigator.clipboard.writeText(text)
  const field = document.createElement('textarea')
  const focused = document.activeElement
  field.value = text
  field.className = 'off-screen'
  document.body.append(field)
  field.select()
  const done = document.execCommand('copy')
  field.remove()
  if (focused instanceof HTMLElement) focused.focus()
  if (!done) throw new Error('The browser refused to copy')
}
