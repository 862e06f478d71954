/** Writes the generated pages of docs/. */
import { writeFileSync } from 'node:fs'
import { generatedPages } from './pages.ts'
import { repositoryPath } from './repository.ts'

for (const [path, content] of Object.entries(generatedPages())) writeFileSync(repositoryPath(path), content)
