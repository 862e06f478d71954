/** Schemathesis sends whatever the OpenAPI document allows, and what it forbids, and holds every answer against it. */
import path from 'node:path'
import t from 'tap'
import { startSimulatedVllm } from '../../load-tests/simulated-vllm/server.ts'
import { runProgram } from '../harness/processes.ts'
import { schemathesisPython } from '../harness/python-programs.ts'
import { repositoryRoot } from '../harness/repository.ts'
import { dataFolder, startStandalone } from '../e2e/standalone-process.ts'

t.setTimeout(180_000)

const folder = path.join(repositoryRoot(), 'tests/http')

t.test('Schemathesis finds nothing', async (t) => {
  const engine = await startSimulatedVllm({ replyTokens: 8 })
  t.teardown(() => engine.close())
  const server = await startStandalone(t, { CHATTERBOT_DATA_DIR: dataFolder(t), CHATTERBOT_ENGINE_URL: engine.url })
  const { code, output } = await runProgram({
    command: await schemathesisPython(),
    args: ['-m', 'schemathesis.cli', '--config-file', path.join(folder, 'schemathesis.toml'), 'run', `${server.ready.url}/openapi.json`],
    cwd: folder,
    env: { PYTHONUTF8: '1', PYTHONPATH: folder, PYTHONDONTWRITEBYTECODE: '1' },
  })
  t.equal(code, 0, output)
  t.equal((await fetch(`${server.ready.url}/ready`)).status, 200, 'and the server is as well as before')
})
