import { readConfig } from '../platform/config/config.ts'
import { runServerProcess } from '../platform/lifecycle/server-process.ts'
import { bridgeRequires, startBridgeProcess } from './bridge-process.ts'

await runServerProcess('bridge', () => readConfig(process.env, { required: bridgeRequires }), startBridgeProcess)
