/** Which versions are measured, as figures are worth little without. */
import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { promisify } from 'node:util'
import { repositoryRoot } from '../../tests/harness/repository.ts'

/** Of a package of npm, as it is installed. */
export function packageVersion(name: string): string {
  return (JSON.parse(readFileSync(path.join(repositoryRoot(), 'node_modules', name, 'package.json'), 'utf8')) as { version: string }).version
}

/** Of a package of Python that a requirements file pins. Throws where it does not. */
export function requiredVersion(requirements: string, name: string): string {
  const [, version] = new RegExp(`^${name}==(\\S+)$`, 'm').exec(readFileSync(requirements, 'utf8')) ?? []
  if (version === undefined) throw new Error(`${requirements} does not pin ${name}`)
  return version
}

/** The first number with dots in it that a program says of itself when it is given `argument`. */
export async function programVersion(program: string, argument: string): Promise<string> {
  const { stdout, stderr } = await promisify(execFile)(program, [argument])
  const [version] = /\d+(\.\d+)+/.exec(`${stdout}${stderr}`) ?? []
  if (version === undefined) throw new Error(`${program} ${argument} names no version`)
  return version
}
