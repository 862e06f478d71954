/** What the pages of the documentation have around them. */
import type { ReactNode } from 'react'

export function Frame({ contents, children }: { readonly contents: ReactNode; readonly children: ReactNode }) {
  return (
    <>
      <a className="skip-link" href="#content">
        Skip to the content
      </a>
      <header className="top">
        <a className="name" href="/docs">
          ChatterBot
        </a>
        <nav aria-label="Documentation">
          <a href="/docs">API</a>
          <a href="/docs/errors">Errors</a>
          <a href="/openapi.json">OpenAPI</a>
          <a href="/">Chat</a>
        </nav>
      </header>
      <div className="columns">
        <details className="contents" open>
          <summary>Contents</summary>
          <nav aria-label="Contents">{contents}</nav>
        </details>
        <main id="content" tabIndex={-1}>
          {children}
        </main>
      </div>
    </>
  )
}
