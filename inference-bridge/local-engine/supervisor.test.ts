/** The engine as a process of its own, and what keeps it running. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { homedir } from 'node:os'
import path from 'node:path'
import t, { type Test } from 'tap'
import { freePort } from '../../tests/harness/ports.ts'
import { defaultCacheFolder } from './model/cache-folder.ts'
import { findModel } from './model/find-model.ts'
import { defaultHubUrl, smolLm2, smolLm2Sources } from './model/model-files.ts'
import type { LocalEngineSettings } from './options.ts'
import { LocalEngineSupervisor, type RestartPolicy, type SupervisorState } from './supervisor.ts'

// An engine starts in a second, or several where the cores are busy.
t.setTimeout(120_000)

const modelPath = await findModel({
  cacheFolder: defaultCacheFolder({ platform: process.platform, home: homedir(), environment: {} }),
  file: smolLm2,
  sources: smolLm2Sources,
  hubUrl: defaultHubUrl,
  python: 'python3',
  signal: new AbortController().signal,
  onProgress: () => {},
})
const small: LocalEngineSettings = { modelPath, sequences: 1, contextSize: 512, threads: 1, drainMs: 30_000 }

function supervise(t: Test, engine: LocalEngineSettings, restart: Partial<RestartPolicy> = { firstDelayMs: 10 }) {
  const log: string[] = []
  const supervisor = new LocalEngineSupervisor({ engine, restart, onLog: (line) => log.push(line), onProgress: () => {} })
  const states: SupervisorState['status'][] = []
  supervisor.onStateChange(({ status }) => states.push(status))
  t.teardown(() => supervisor.stop())
  return { supervisor, states, log }
}

async function reached<S extends SupervisorState['status']>(supervisor: LocalEngineSupervisor, status: S): Promise<Extract<SupervisorState, { status: S }>> {
  const isReached = (state: SupervisorState): state is Extract<SupervisorState, { status: S }> => state.status === status
  if (isReached(supervisor.state)) return supervisor.state
  return new Promise((resolve) => {
    const end = supervisor.onStateChange((state) => {
      if (!isReached(state)) return
      end()
      resolve(state)
    })
  })
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    // A process that has ended and that nobody has waited for still counts; an orphan may stay one.
    return !(process.platform === 'linux' && /^State:\sZ/m.test(readFileSync(`/proc/${pid}/status`, 'utf8')))
  } catch {
    return false
  }
}

async function gone(pid: number): Promise<void> {
  while (isAlive(pid)) await new Promise((resolve) => setTimeout(resolve, 10))
}

async function listenAt(t: Test, port: number): Promise<void> {
  const server = createServer().listen(port, '127.0.0.1')
  t.teardown(() => server.close())
  await once(server, 'listening')
}

const complete = (url: string, max_tokens = 2, signal?: AbortSignal) =>
  fetch(`${url}/v1/completions`, { method: 'POST', body: JSON.stringify({ prompt: 'Once', max_tokens, stream: max_tokens > 2 }), ...(signal === undefined ? {} : { signal }) })

t.test('a killed engine comes back at the same address, or at another if that is taken; a stopped one does not', async (t) => {
  const { supervisor, states } = supervise(t, small, { firstDelayMs: 300 })
  t.equal(supervisor.url, undefined)
  const started = supervisor.start()
  t.equal(supervisor.start(), started)
  await started
  const first = await reached(supervisor, 'ready')
  t.match(first, { model: 'smollm2-135m', maxModelLen: 512, url: supervisor.url })
  t.equal((await complete(first.url)).status, 200)

  process.kill(first.pid ?? 0, 'SIGKILL')
  t.match(await reached(supervisor, 'waiting'), { reason: 'killed by SIGKILL' })
  const second = await reached(supervisor, 'ready')
  t.equal(second.url, first.url)
  t.not(second.pid, first.pid)

  process.kill(second.pid ?? 0, 'SIGKILL')
  await reached(supervisor, 'waiting')
  await listenAt(t, Number(new URL(second.url).port))
  const third = await reached(supervisor, 'ready')
  t.not(third.url, first.url)

  const response = await complete(third.url, 60)
  const stopped = supervisor.stop()
  t.equal(supervisor.stop(), stopped)
  t.match(await response.text(), /"finish_reason":"(stop|length)".*\n\ndata: \[DONE\]\n\n$/s, 'a running reply may end')
  await stopped
  t.notOk(isAlive(third.pid ?? 0))
  t.same(states, ['starting', 'ready', 'waiting', 'starting', 'ready', 'waiting', 'starting', 'waiting', 'starting', 'ready', 'stopping', 'stopped'])
  await supervisor.stop()
})

t.test('what only a person can mend is not tried again', async (t) => {
  const folder = t.testdir({})
  const truncated = path.join(folder, 'truncated.gguf')
  writeFileSync(truncated, readFileSync(modelPath).subarray(0, 30_000_000))
  const taken = await freePort()
  await listenAt(t, taken)
  const cases: [LocalEngineSettings, { readonly code: string; readonly message: string | RegExp }][] = [
    [{ ...small, modelPath: path.join(folder, 'absent.gguf') }, { code: 'model_path_missing', message: /absent.gguf, but there is no such file/ }],
    [{ ...small, modelPath: truncated }, { code: 'model_damaged', message: /truncated.gguf cannot be loaded: it is damaged/ }],
    [{ ...small, port: taken }, { code: 'port_in_use', message: `Port ${taken} of 127.0.0.1 is in use.` }],
    [{ ...small, sequences: 0 }, { code: 'options_invalid', message: /\/sequences/ }],
  ]
  for (const [settings, fault] of cases) {
    const { supervisor, states } = supervise(t, settings)
    await t.rejects(supervisor.start(), fault)
    t.same(states, ['starting', 'failed'])
    t.match(supervisor.state, { status: 'failed', message: fault.message })
  }
})

t.test('a stop while starting ends the process, and a later start begins anew', async (t) => {
  const { supervisor, states } = supervise(t, small)
  const started = supervisor.start()
  const rejected = t.rejects(started, { message: 'The local engine was stopped.' })
  const stopped = supervisor.stop()
  const again = supervisor.start()
  await Promise.all([rejected, stopped, again])
  t.match(supervisor.state, { status: 'ready' })
  await supervisor.stop()
  t.same(states.slice(-4), ['starting', 'ready', 'stopping', 'stopped'])
})

t.test('an engine whose parent was killed ends at once, even while it writes a reply', async (t) => {
  const program = `
    import { LocalEngineSupervisor } from ${JSON.stringify(new URL('./supervisor.js', import.meta.url).href)}
    const supervisor = new LocalEngineSupervisor({ engine: ${JSON.stringify(small)}, onLog() {}, onProgress() {} })
    await supervisor.start()
    console.log(JSON.stringify(supervisor.state))
  `
  const parent = spawn(process.execPath, ['--input-type=module', '-e', program], { stdio: ['ignore', 'pipe', 'inherit'] })
  t.teardown(() => parent.kill('SIGKILL'))
  const [line] = (await once(parent.stdout.setEncoding('utf8'), 'data')) as [string]
  const { pid, url } = JSON.parse(line) as { pid: number; url: string }
  const response = await complete(url, 500)
  const cut = t.rejects(response.text())
  parent.kill('SIGKILL')
  await gone(pid)
  await cut
})
