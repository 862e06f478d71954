/** Recorded bytes of a real vLLM. They stand beside the sources, which compiled tests find from the root of the repository. */
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

function repositoryRoot(): string {
  let folder = dirname(fileURLToPath(import.meta.url))
  while (!existsSync(join(folder, 'package.json'))) folder = dirname(folder)
  return folder
}

export function vllmFixture(name: string): Buffer {
  return readFileSync(join(repositoryRoot(), 'inference-bridge/vllm/fixtures', name))
}
