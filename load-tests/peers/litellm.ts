/** LiteLLM's proxy: an OpenAI API in front of engines. */
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { temporaryFolder } from '../../tests/harness/guard.ts'
import { freePort } from '../../tests/harness/ports.ts'
import { startProcess } from '../../tests/harness/processes.ts'
import { pythonEnvironment } from '../../tests/harness/python-environment.ts'
import { repositoryRoot } from '../../tests/harness/repository.ts'
import type { PeerKind } from './peer.ts'
import { requiredVersion } from './versions.ts'

const name = 'LiteLLM'

export const litellm: PeerKind = {
  name,
  start: async ({ url }) => {
    const requirements = path.join(repositoryRoot(), 'load-tests', 'peers', 'litellm', 'requirements.txt')
    const python = await pythonEnvironment(requirements)
    const folder = temporaryFolder('litellm')
    const file = path.join(folder.path, 'config.yaml')
    // JSON is YAML.
    writeFileSync(file, JSON.stringify(configuration(url)))
    const port = await freePort()
    const running = await startProcess(undefined, {
      command: python,
      args: ['-m', 'litellm.proxy.proxy_cli', '--config', file, '--host', '127.0.0.1', '--port', String(port), '--num_workers', '1'],
      // The prices of models come with it; by default they are fetched.
      env: { LITELLM_MODE: 'PRODUCTION', LITELLM_LOG: 'ERROR', LITELLM_LOCAL_MODEL_COST_MAP: 'True', PYTHONDONTWRITEBYTECODE: '1' },
      // It says nothing once it serves: its first sign of life is its banner.
      ready: () => true,
    }).catch((error: unknown) => {
      folder.remove()
      throw error
    })
    const stop = async (): Promise<void> => {
      await running.stop()
      folder.remove()
    }
    try {
      await Promise.race([serving(port), running.exited.then(() => Promise.reject(new Error(`LiteLLM ended: ${running.output()}`)))])
    } catch (error) {
      await stop()
      throw error
    }
    return { name, version: requiredVersion(requirements, 'litellm'), dialect: 'openai', port, processes: new Map([['litellm', running.pid]]), stop }
  },
}

/** Resolves once it is healthy. Rejects after two minutes. */
async function serving(port: number): Promise<void> {
  for (const deadline = Date.now() + 120_000; Date.now() < deadline; await delay(200)) {
    const response = await fetch(`http://127.0.0.1:${port}/health/liveliness`).catch(() => null)
    if (response?.ok) return
  }
  throw new Error('LiteLLM did not become healthy within two minutes')
}

/** As its page on production has it, but for keys, databases and alerts: it takes whoever asks, as the others do. */
function configuration(engine: string): object {
  return {
    model_list: [{ model_name: 'simulated', litellm_params: { model: 'hosted_vllm/simulated', api_base: `${engine}/v1`, api_key: 'none' } }],
    litellm_settings: { request_timeout: 600, set_verbose: false },
    general_settings: { dangerously_permit_weak_or_unset_master_key: true },
  }
}
