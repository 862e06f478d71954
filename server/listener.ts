/** The port of the edge. */
import { createServer } from 'node:net'
import uWS, { type TemplatedApp, type us_listen_socket } from 'uWebSockets.js'
import { StartupFault } from '../platform/lifecycle/startup-fault.ts'

export interface Listener {
  readonly port: number
  /** Takes no new connections; those that exist live on. */
  close(): void
}

export interface Address {
  readonly host: string
  /** 0: any free one. */
  readonly port: number
  /** Whether other processes may listen on the port too. They are programs of this kind and user: any other's port is taken. */
  readonly isShared: boolean
}

/** Rejects with StartupFault. */
export async function listen(app: TemplatedApp, { host, port, isShared }: Address): Promise<Listener> {
  const fault = port === 0 || isShared ? null : await probe(host, port)
  if (fault !== null) throw fault
  // The library's exclusive option would do without the probe, but it leaves out SO_REUSEADDR as well: then the port
  // could not be listened on for a minute after a server stopped that had clients. Without it, servers share the port.
  const socket = await new Promise<us_listen_socket | false>((resolve) => app.listen(host, port, resolve))
  if (socket === false) throw (await probe(host, port)) ?? faultOf(undefined, host, port)
  return {
    port: uWS.us_socket_local_port(socket),
    close: () => uWS.us_listen_socket_close(socket),
  }
}

/** The host of an address that a browser of this machine can open. */
export function displayHost(host: string): string {
  if (host === '0.0.0.0' || host === '::') return '127.0.0.1'
  return host.includes(':') ? `[${host}]` : host
}

/** Why the port cannot be listened on: the library says no more than that it failed, so that the question is put to the system. */
export async function probe(host: string, port: number): Promise<StartupFault | null> {
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
      return new StartupFault(`Port ${port} of ${host} is taken by another program.`, `Stop that program, or choose another port: PORT=${port + 1}`)
    case 'EACCES':
      return new StartupFault(`This user may not listen on port ${port}.`, 'Choose a port above 1023 with PORT.')
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return new StartupFault(`${host} is no address of this machine.`, 'Set HOST to 127.0.0.1 (this machine only) or 0.0.0.0 (everybody).')
    default:
      return new StartupFault(`Cannot listen on ${host}:${port}${code === undefined || code === '' ? '' : ` (${code})`}.`, 'Choose another PORT or HOST.')
  }
}
