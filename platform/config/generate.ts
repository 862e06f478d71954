/** Writes docs/configuration.md. */
import { writeFileSync } from 'node:fs'
import { repositoryPath } from '../../protocol/docs/repository.ts'
import { configurationPage } from './configuration-page.ts'

writeFileSync(repositoryPath('docs/configuration.md'), configurationPage())
