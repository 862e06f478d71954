import react from '@vitejs/plugin-react'
import { defineConfig } from 'vite'

/** The chat page: static files, served by the edge beside its WebSocket. */
export default defineConfig({
  root: import.meta.dirname,
  plugins: [react()],
  build: {
    outDir: '../dist/page',
    emptyOutDir: true,
    target: ['chrome123', 'firefox120', 'safari17.5'],
    // Data URLs would need exceptions in the page's content security policy.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    // An editor's grammar is one lazily loaded file of its own, some of which are large.
    chunkSizeWarningLimit: 1200
  }
})
