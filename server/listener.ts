/** The port of the edge. */
import { createServer } from 'node:net'
import uWS, { type TemplatedApp, type us_listen_socket } from 'uWebSockets.js'
import { StartupFault } from '../platform/lifecycle/startup-fault.ts'

/** The declaration knows options only together with all interfaces; the function takes them for one host too. */
type Listen = (host: string, port: number, options: number, callback: (socket: us_listen_socket | false) => void) => void

/** LIBUS_LISTEN_EXCLUSIVE_PORT: declared as a member of an enum that does not exist at run time. Else two servers would share a port unnoticed. */
const exclusive = 1

export interface Listener {
  readonly port: number
  /** Takes no new connections; those that exist live on. */
  close(): void
}

/** `port` 0: any free one. Rejects with StartupFault. */
export async function listen(app: TemplatedApp, host: string, port: number): Promise<Listener> {
  const open = app.listen.bind(app) as unknown as Listen
  const socket = await new Promise<us_listen_socket | false>((resolve) => open(host, port, exclusive, resolve))
  if (socket === false) throw await explain(host, port)
  return {
    port: uWS.us_socket_local_port(socket),
    close: () => uWS.us_listen_socket_close(socket),
  }
}

/** The library says no more than that it failed, so that the question is put to the system once more. */
async function explain(host: string, port: number): Promise<StartupFault> {
  const code = await new Promise<string | undefined>((resolve) => {
    const probe = createServer()
    probe.once('error', (error: NodeJS.ErrnoException) => resolve(error.code))
    probe.listen({ host, port, exclusive: true }, () => probe.close(() => resolve(undefined)))
  })
  switch (code) {
    case 'EADDRINUSE':
      return new StartupFault(`Port ${port} of ${host} is taken by another program.`, `Stop that program, or choose another port: PORT=${port + 1} npm start`)
    case 'EACCES':
      return new StartupFault(`This user may not listen on port ${port}.`, 'Choose a port above 1023 with PORT.')
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return new StartupFault(`${host} is no address of this machine.`, 'Set HOST to 127.0.0.1 (this machine only) or 0.0.0.0 (everybody).')
    default:
      return new StartupFault(`Cannot listen on ${host}:${port}${code === undefined ? '' : ` (${code})`}.`, 'Choose another PORT or HOST.')
  }
}
