/** A bridge that kills itself where it is told to. */
import { bridgeRequires, startBridgeProcess } from '../../../../inference-bridge/bridge-process.ts'
import { readConfig } from '../../../../platform/config/config.ts'
import { runServerProcess } from '../../../../platform/lifecycle/server-process.ts'
import { killPointVariable, KillSwitch } from '../kill-point.ts'
import { mortalBridgeChannel, mortalFetching } from '../mortal-adapters.ts'

const kill = new KillSwitch(process.env[killPointVariable])

await runServerProcess('bridge', () => readConfig(process.env, { required: bridgeRequires }), (config, server) =>
  startBridgeProcess(config, server, (adapters) => ({ ...adapters, channel: mortalBridgeChannel(adapters.channel, kill), jobQueue: mortalFetching(adapters.jobQueue, kill) })),
)
