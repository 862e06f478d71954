import path from 'node:path'
import react from '@vitejs/plugin-react'
import { defineConfig, type Plugin } from 'vite'
import { openapiDocument } from '../protocol/docs/openapi.ts'
import { documentation } from './docs/render.ts'

const root = import.meta.dirname

/** Puts the documentation into its pages, and what programs read beside them. */
const documentationPages: Plugin = {
  name: 'documentation',
  transformIndexHtml: (html, { filename }) => {
    const [, render] = Object.entries(documentation).find(([end]) => filename.endsWith(end)) ?? []
    return render === undefined ? html : html.replace('<!-- documentation -->', () => render())
  },
  generateBundle() {
    this.emitFile({ type: 'asset', fileName: 'openapi.json', source: `${JSON.stringify(openapiDocument(), null, 2)}\n` })
  }
}

/** The chat page and the documentation: static files, served by the edge beside its WebSocket. */
export default defineConfig({
  root,
  plugins: [react(), documentationPages],
  build: {
    outDir: '../dist/page',
    emptyOutDir: true,
    target: ['chrome123', 'firefox120', 'safari17.5'],
    // Data URLs would need exceptions in the page's content security policy.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    // An editor's grammar is one lazily loaded file of its own, some of which are large.
    chunkSizeWarningLimit: 1200,
    rollupOptions: { input: ['index.html', 'docs/index.html', 'docs/errors/index.html'].map((page) => path.join(root, page)) }
  }
})
