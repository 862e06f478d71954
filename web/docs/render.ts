/** The documentation as HTML, made once, when the page is built. */
import { createElement } from 'react'
import { renderToStaticMarkup } from 'react-dom/server'
import { ApiPage } from './api-page.tsx'
import { ErrorsPage } from './errors-page.tsx'

/** What goes into the bodies of the pages, by the end of their files' names. */
export const documentation: Readonly<Record<string, () => string>> = {
  '/docs/index.html': () => renderToStaticMarkup(createElement(ApiPage)),
  '/docs/errors/index.html': () => renderToStaticMarkup(createElement(ErrorsPage)),
}
