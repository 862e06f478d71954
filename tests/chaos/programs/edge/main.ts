/** An edge that kills itself where it is told to. */
import { readConfig } from '../../../../platform/config/config.ts'
import { runServerProcess } from '../../../../platform/lifecycle/server-process.ts'
import { edgeRequires, startEdgeProcess } from '../../../../server/edge-process.ts'
import { killPointVariable, KillSwitch } from '../kill-point.ts'
import { mortalEdgeChannel, mortalPublishing, mortalStore } from '../mortal-adapters.ts'

const kill = new KillSwitch(process.env[killPointVariable])

await runServerProcess('edge', () => readConfig(process.env, { required: edgeRequires }), (config, server) =>
  startEdgeProcess(config, server, (adapters) => ({ ...adapters, store: mortalStore(adapters.store, kill), channel: mortalEdgeChannel(adapters.channel, kill), jobQueue: mortalPublishing(adapters.jobQueue, kill) })),
)
