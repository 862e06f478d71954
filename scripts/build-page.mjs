import path from 'node:path'
import { fingerprint, makeOnce } from './fingerprint.mjs'
import { commandOf, lastLines, root, runCommand } from './run-command.mjs'
import { SetupError, step } from './steps.mjs'

/** Bundles the chat page to dist/page/, unless it was made from exactly these sources. */
export async function buildPage() {
  await makeOnce('page-built', fingerprint(['web', 'client', 'protocol', 'package-lock.json']), () =>
    step('Building the page', async () => {
      const args = ['build', 'web', '--outDir', path.join(root, 'dist', 'page'), '--emptyOutDir', '--logLevel', 'warn']
      const { code, output } = await runCommand(process.execPath, [commandOf('vite'), ...args])
      if (code !== 0) throw new SetupError(lastLines(output, 40), 'mend what the bundler names above, or go back to a commit that builds.')
    })
  )
}
