/** LiteLLM's proxy: an OpenAI API in front of engines. */
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { temporaryFolder } from '../../tests/harness/guard.ts'
import { freePort } from '../../tests/harness/ports.ts'
import { startProcess } from '../../tests/harness/processes.ts'
import { pythonEnvironment } from '../../tests/harness/python-environment.ts'
import { repositoryRoot } from '../../tests/harness/repository.ts'
import type { PeerKind } from './peer.ts'

const name = 'LiteLLM'

export const litellm: PeerKind = {
  name,
  start: async ({ url }) => {
    const python = await pythonEnvironment(path.join(repositoryRoot(), 'load-tests', 'peers', 'litellm', 'requirements.txt'))
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
      ready: (line) => (line.includes('Uvicorn running on') ? true : undefined),
      readyWithinMs: 120_000,
    }).catch((error: unknown) => {
      folder.remove()
      throw error
    })
    const stop = async (): Promise<void> => {
      await running.stop()
      folder.remove()
    }
    return { name, dialect: 'openai', port, processes: new Map([['litellm', running.pid]]), stop }
  },
}

/** As its page on production has it, but for keys, databases and alerts. */
function configuration(engine: string): object {
  return {
    model_list: [{ model_name: 'simulated', litellm_params: { model: 'hosted_vllm/simulated', api_base: `${engine}/v1`, api_key: 'none' } }],
    litellm_settings: { request_timeout: 600, set_verbose: false, json_logs: true },
  }
}
