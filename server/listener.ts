/** The port of the edge. */
import { createServer } from 'node:net'
import uWS, { type TemplatedApp, type us_listen_socket } from 'uWebSockets.js'
import { StartupFault } from '../platform/lifecycle/startup-fault.ts'

export interface Listener {
  readonly port: number
  /** Takes no new connections; those that exist live on. */
  close(): void
}

/** `port` 0: any free one. Rejects with StartupFault. */
export async function listen(app: TemplatedApp, host: string, port: number): Promise<Listener> {
  const fault = port === 0 ? null : await probe(host, port)
  if (fault !== null) throw fault
  // The library's exclusive option would do without the probe, but it leaves out SO_REUSEADDR as well: then the port
  // could not be listened on for a minute after a server stopped that had clients. Without it, two servers may share a port.
  const socket = await new Promise<us_listen_socket | false>((resolve) => app.listen(host, port, resolve))
  if (socket === false) throw (await probe(host, port)) ?? faultOf(undefined, host, port)
  return {
    port: uWS.us_socket_local_port(socket),
    close: () => uWS.us_listen_socket_close(socket),
  }
}

/** Whether the port can be listened on: the library says no more than that it failed, so that the question is put to the system. */
async function probe(host: string, port: number): Promise<StartupFault | null> {
  const code = await new Promise<string | null>((resolve) => {
    const server = createServer()
    server.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? ''))
    server.listen({ host, port, exclusive: true }, () => server.close(() => resolve(null)))
  })
  return code === null ? null : faultOf(code, host, port)
}

function faultOf(code: string | undefined, host: string, port: number): StartupFault {
  switch (code) {
    case 'EADDRINUSE':
      return new StartupFault(`Port ${port} of ${host} is taken by another program.`, `Stop that program, or choose another port: PORT=${port + 1} npm start`)
    case 'EACCES':
      return new StartupFault(`This user may not listen on port ${port}.`, 'Choose a port above 1023 with PORT.')
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return new StartupFault(`${host} is no address of this machine.`, 'Set HOST to 127.0.0.1 (this machine only) or 0.0.0.0 (everybody).')
    default:
      return new StartupFault(`Cannot listen on ${host}:${port}${code === undefined || code === '' ? '' : ` (${code})`}.`, 'Choose another PORT or HOST.')
  }
}
