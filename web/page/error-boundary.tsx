import { Component, type ReactNode } from 'react'

/** What was said is at the server, so that a page that broke can be loaded anew without a loss. */
export class ErrorBoundary extends Component<{ readonly children?: ReactNode }, { readonly broken: boolean }> {
  override readonly state = { broken: false }

  static getDerivedStateFromError(): { broken: boolean } {
    return { broken: true }
  }

  override render(): ReactNode {
    if (!this.state.broken) return this.props.children
    return (
      <main className="place" role="alert">
        <h1>This page broke</h1>
        <p>Your conversations are safe. Loading the page again brings them back.</p>
        <button type="button" className="button primary" onClick={() => window.location.reload()}>
          Load again
        </button>
      </main>
    )
  }
}
