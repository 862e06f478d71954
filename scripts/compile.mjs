import { existsSync, readFileSync, rmSync } from 'node:fs'
import path from 'node:path'
import { filesBelow, fingerprint, makeOnce } from './fingerprint.mjs'
import { commandOf, lastLines, root, runCommand } from './run-command.mjs'
import { SetupError, step } from './steps.mjs'

/** Compiles TypeScript to dist/, unless dist/ was made from exactly these sources. */
export async function compile() {
  const { include } = JSON.parse(readFileSync(path.join(root, 'tsconfig.json'), 'utf8'))
  const sources = include.filter((folder) => existsSync(path.join(root, folder))).flatMap(filesBelow).filter((file) => /\.tsx?$/.test(file))
  const made = fingerprint([...sources, 'tsconfig.json', 'package-lock.json'])
  await makeOnce('compiled', made, () =>
    step('Compiling', async () => {
      const { code, output } = await runCommand(process.execPath, [commandOf('typescript', 'tsc'), '--pretty', 'false', ...incremental('compiled')])
      if (code !== 0) throw new SetupError(lastLines(output, 40), 'mend the types named above, or go back to a commit that compiles.')
      removeOrphans(include)
    })
  )
}

/** What the compiler found goes into dist/, and files that did not change since are not looked at again. */
export function incremental(name) {
  return ['--incremental', '--tsBuildInfoFile', path.join(root, 'dist', `.${name}.tsbuildinfo`)]
}

/** A deleted source must not go on as a program or a test in dist/. */
function removeOrphans(folders) {
  const compiled = folders.filter((folder) => existsSync(path.join(root, 'dist', folder))).flatMap((folder) => filesBelow(`dist/${folder}`))
  for (const file of compiled) {
    const source = file.slice('dist/'.length).replace(/\.js(\.map)?$/, '')
    if (!existsSync(path.join(root, `${source}.ts`)) && !existsSync(path.join(root, `${source}.tsx`))) rmSync(path.join(root, file))
  }
}
