/** What the documentation gains by a script: the reader's theme, this server's address in the examples, and buttons that copy them. */
import { ThemeChoice } from '../page/theme.ts'
import { exampleOrigin } from './curl.ts'

new ThemeChoice(() => window.localStorage)

// A phone shows the text first.
if (window.matchMedia('(max-width: 60rem)').matches) document.querySelector('.contents')?.removeAttribute('open')

for (const code of document.querySelectorAll('.example code')) {
  code.textContent = code.textContent.replaceAll(exampleOrigin, window.location.origin)
  const button = document.createElement('button')
  button.type = 'button'
  button.textContent = 'Copy'
  button.addEventListener('click', () => {
    navigator.clipboard.writeText(code.textContent).then(
      () => say(button, 'Copied'),
      () => say(button, 'Not copied'),
    )
  })
  code.closest('figure')?.querySelector('figcaption')?.append(button)
}

function say(button: HTMLButtonElement, text: string): void {
  button.textContent = text
  setTimeout(() => {
    button.textContent = 'Copy'
  }, 2_000)
}
