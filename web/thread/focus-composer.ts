/**
 * Puts the focus where one goes on: for when what had it goes away, or another conversation is shown. Not on phones,
 * where a keyboard would slide in over the conversation.
 */
export function focusComposer(): void {
  if (window.matchMedia('(pointer: fine)').matches) document.querySelector<HTMLTextAreaElement>('.composer-input')?.focus({ preventScroll: true })
}

/** For buttons that go away with what they do. */
export function andFocus(action: () => void): () => void {
  return () => {
    action()
    focusComposer()
  }
}
