import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { EngineConfigError } from '../config-error.ts'
import { HttpFault, internalFault } from './faults.ts'
import { sendFault } from './json-response.ts'
import { route, type ServedModel } from './routes.ts'

/** More than the queue holds several times over; connections above it are closed unanswered. */
const maxConnections = 512
const timeouts = { headersTimeout: 10_000, requestTimeout: 30_000, keepAliveTimeout: 75_000 }

/** Serves one model over HTTP on 127.0.0.1, and nowhere else: it asks for no credentials. */
export class EngineServer {
  readonly #model: ServedModel
  readonly #server: Server
  readonly #inFlight = new Set<AbortController>()
  #stopping: Promise<void> | undefined

  constructor(model: ServedModel) {
    this.#model = model
    this.#server = createServer(timeouts, (request, response) => void this.#serve(request, response))
    this.#server.maxConnections = maxConnections
  }

  /** `port` 0: any that is free. Resolves with the port. Throws EngineConfigError if it is taken. */
  async listen(port: number): Promise<number> {
    this.#server.listen(port, '127.0.0.1')
    try {
      await once(this.#server, 'listening')
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error
      throw new EngineConfigError('port_in_use', `Port ${port} of 127.0.0.1 is in use.`, { cause: error })
    }
    return (this.#server.address() as AddressInfo).port
  }

  /**
   * Running replies may end until the deadline; then they are aborted with an error event. Requests that wait or come
   * meanwhile are answered 503.
   */
  stop(deadlineMs: number): Promise<void> {
    this.#stopping ??= this.#stop(deadlineMs)
    return this.#stopping
  }

  async #stop(deadlineMs: number): Promise<void> {
    const abort = setTimeout(() => {
      for (const controller of this.#inFlight) controller.abort()
    }, deadlineMs)
    await this.#model.engine.drain()
    clearTimeout(abort)
    // New connections are taken until here, so that they get an answer.
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()))
    const cut = setTimeout(() => this.#server.closeAllConnections(), lastWordsMs)
    this.#closeWhenAllIsSaid()
    await closed
    clearTimeout(cut)
  }

  /** Node counts a connection that has not asked for anything yet among the busy ones. */
  #closeWhenAllIsSaid(): void {
    if (!this.#server.listening && this.#inFlight.size === 0) this.#server.closeAllConnections()
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const controller = new AbortController()
    this.#inFlight.add(controller)
    response.once('close', () => {
      this.#inFlight.delete(controller)
      controller.abort()
      this.#closeWhenAllIsSaid()
    })
    try {
      // Browsers name the page that asks. None has business here, and a page must not make a person's machine compute.
      if (request.headers.origin !== undefined) throw new HttpFault(403, 'Forbidden', 'The local engine does not serve web pages.')
      await route(this.#model, { request, response, signal: controller.signal })
    } catch (error) {
      if (response.destroyed) return
      if (!(error instanceof HttpFault)) this.#model.log(`request failed: ${String(error)}`)
      if (response.headersSent) response.destroy()
      else sendFault(response, error instanceof HttpFault ? error : internalFault())
    }
  }
}

/** For what has been written to reach clients that read slowly. */
const lastWordsMs = 1000
