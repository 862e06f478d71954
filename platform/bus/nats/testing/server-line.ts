/** A line to a NATS server that can be listened to, and cut while the server lives on. */
import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import type { TestContext } from '../../../../tests/harness/processes.ts'

export interface ServerLine {
  readonly url: string
  /** Ends all connections, and takes no others. */
  cut(): void
  mend(): void
}

/** `heard` is given what clients say. */
export async function startServerLine(t: TestContext, port: number, heard: (said: Buffer) => void = () => undefined): Promise<ServerLine> {
  const sockets = new Set<Socket>()
  let isCut = false
  const listener = createServer((client) => {
    if (isCut) return void client.destroy()
    const server = connect(port, '127.0.0.1')
    client.on('data', heard)
    client.pipe(server).pipe(client)
    for (const [end, other] of [[client, server], [server, client]] as const) {
      sockets.add(end)
      end.on('error', () => undefined)
      end.on('close', () => {
        sockets.delete(end)
        other.destroy()
      })
    }
  })
  listener.listen(0, '127.0.0.1')
  await once(listener, 'listening')
  const cut = (): void => {
    isCut = true
    for (const socket of sockets) socket.destroy()
  }
  t.teardown(() => {
    cut()
    listener.close()
  })
  return {
    url: `nats://127.0.0.1:${(listener.address() as AddressInfo).port}`,
    cut,
    mend: () => {
      isCut = false
    },
  }
}
