// `npm run docs`: writes the generated pages of docs/ anew, by every generate.ts there is.
import { filesBelow } from './fingerprint.mjs'
import { compile } from './compile.mjs'
import { install } from './install.mjs'
import { requireNode } from './node-version.mjs'
import { lastLines, runCommand } from './run-command.mjs'
import { reportFailure, SetupError, step } from './steps.mjs'

requireNode()
try {
  await install()
  await compile()
  for (const program of filesBelow('dist').filter((file) => file.endsWith('/generate.js'))) {
    await step(`Running ${program}`, async () => {
      const { code, output } = await runCommand(process.execPath, ['--enable-source-maps', program])
      if (code !== 0) throw new SetupError(lastLines(output, 20), 'mend what it names above.')
    })
  }
} catch (error) {
  reportFailure(error)
}
