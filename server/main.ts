import { readConfig } from '../platform/config/config.ts'
import { runServerProcess } from '../platform/lifecycle/server-process.ts'
import { edgeRequires, startEdgeProcess } from './edge-process.ts'

await runServerProcess('edge', () => readConfig(process.env, { required: edgeRequires }), startEdgeProcess)
