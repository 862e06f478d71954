import { readConfig } from '../platform/config/config.ts'
import { runServerProcess } from '../platform/lifecycle/server-process.ts'

// Read by uWebSockets.js as it is loaded: its own 4 KiB are too few for tokens of identity providers.
process.env['UWS_HTTP_MAX_HEADERS_SIZE'] ??= '16384'
const { edgeRequires, startEdgeProcess } = await import('./edge-process.ts')

await runServerProcess('edge', () => readConfig(process.env, { required: edgeRequires }), startEdgeProcess)
