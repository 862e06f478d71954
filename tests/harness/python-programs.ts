/** Programs of Python that tests run, each in an environment of its own with pinned packages. */
import path from 'node:path'
import { pythonEnvironment } from './python-environment.ts'
import { repositoryRoot } from './repository.ts'

/** A Python that has Schemathesis. Rejects where this machine has no Python with `venv`, or no package can be fetched. */
export function schemathesisPython(): Promise<string> {
  return pythonEnvironment(path.join(repositoryRoot(), 'tests/http/requirements.txt'))
}

/** A Python that has OpenAI's SDK. Rejects as the above does. */
export function openAiPython(): Promise<string> {
  return pythonEnvironment(path.join(repositoryRoot(), 'tests/openai/requirements.txt'))
}
