/** `/ws`: where uWebSockets.js and sessions meet. Every handler is wrapped, as one that throws aborts the process. */
import type { HttpRequest, HttpResponse, TemplatedApp, us_socket_context_t } from 'uWebSockets.js'
import uWS from 'uWebSockets.js'
import { limits } from '../../protocol/websocket/limits.ts'
import { ChatError } from '../../protocol/errors.ts'
import type { Subprotocol } from '../../protocol/websocket/subprotocols.ts'
import { errorProblem, retryAfter, type HttpAnswer } from '../http/answer.ts'
import { RequestHead } from '../http/request-head.ts'
import { sendAnswer } from '../http/send.ts'
import type { ClientAddresses } from '../http/client-address.ts'
import type { Admission } from '../limits/admission.ts'
import { tokenOf } from '../auth/credentials.ts'
import { Connection } from './connection.ts'
import { negotiate, type Handshake, type OriginPolicy } from './handshake.ts'
import { Session, type Handshaken, type SessionContext } from './session.ts'
import type { Sessions } from './sessions.ts'

/** The library cuts a connection at its limit without a word; below it we can say why. */
const cutBytes = 2 * limits.frameBytes
/** Never reached: nothing is sent on a connection that holds unsent bytes, and no frame is as large. A frame above it would be dropped. */
const maxUnsentBytes = 64 * 1024 * 1024
/** Longer than the SDK lets pass between pings; the library pings by itself before it gives up. */
const idleTimeoutS = 60

interface SocketData {
  readonly subprotocol: Subprotocol
  readonly client: Handshaken
  session: Session | null
}

export interface EndpointOptions {
  readonly context: SessionContext
  readonly sessions: Sessions
  readonly addresses: ClientAddresses
  readonly admission: Pick<Admission, 'greet'>
  readonly origins: OriginPolicy
  readonly isDraining: () => boolean
  /** A connection has become a WebSocket. */
  readonly upgraded: () => void
}

export function serveWebSockets(app: TemplatedApp, { context, sessions, addresses, admission, origins, isDraining, upgraded }: EndpointOptions): void {
  const { logger, metrics } = context

  const decide = (req: HttpRequest, address: string): Handshake => {
    const head = new RequestHead(req)
    if (head.fault !== null) return { accepted: false, answer: errorProblem(head.fault) }
    const header = (name: string): string => head.header(name)
    const handshake = negotiate({ version: header('sec-websocket-version'), protocols: header('sec-websocket-protocol'), origin: header('origin'), host: header('host') }, origins)
    if (!handshake.accepted) return handshake
    if (isDraining()) return { accepted: false, answer: errorProblem('draining', { 'Retry-After': '1' }) }
    const waitMs = admission.greet(address)
    if (waitMs !== null) return { accepted: false, answer: errorProblem('rate_limited', retryAfter(new ChatError('rate_limited', undefined, { retryAfterMs: waitMs }))) }
    const code = sessions.refusal(address)
    return code === null ? handshake : { accepted: false, answer: errorProblem(code, { 'Retry-After': '5' }) }
  }

  const upgrade = (res: HttpResponse, req: HttpRequest, socketContext: us_socket_context_t): void => {
    const address = addresses.keyOf(res.getRemoteAddress(), (name) => req.getHeader(name))
    const handshake = decide(req, address)
    if (!handshake.accepted) {
      metrics.refusedHandshake(handshake.answer.status)
      return refuse(res, handshake.answer)
    }
    const token = tokenOf({ authorization: req.getHeader('authorization'), apiKey: req.getHeader('x-api-key') })
    const data: SocketData = { subprotocol: handshake.subprotocol, client: { address, token, ticket: req.getQuery('ticket') }, session: null }
    res.upgrade(data, req.getHeader('sec-websocket-key'), handshake.named, req.getHeader('sec-websocket-extensions'), socketContext)
    upgraded()
  }

  /** A fault of ours: the connection ends, the process goes on. */
  const failed = (error: unknown, session: Session | null): void => {
    logger.error({ err: error }, 'a WebSocket handler failed')
    try {
      session?.close(1012, 'internal')
    } catch (again) {
      logger.error({ err: again }, 'a connection could not be closed')
    }
  }

  app.ws<SocketData>('/ws', {
    maxPayloadLength: cutBytes,
    maxBackpressure: maxUnsentBytes,
    idleTimeout: idleTimeoutS,
    sendPingsAutomatically: true,
    compression: uWS.DISABLED,
    upgrade: (res, req, socketContext) => {
      try {
        upgrade(res, req, socketContext)
      } catch (error) {
        logger.error({ err: error }, 'a WebSocket handshake failed')
        refuse(res, errorProblem('internal'))
      }
    },
    open: (socket) => {
      const data = socket.getUserData()
      try {
        const session = new Session(context, data.client, (owner) => new Connection(socket, data.subprotocol, owner))
        data.session = session
        sessions.add(session, data.client.address)
        metrics.opened()
      } catch (error) {
        failed(error, data.session)
      }
    },
    message: (socket, message, isBinary) => {
      const { session } = socket.getUserData()
      try {
        metrics.frameIn()
        session?.receive(new Uint8Array(message), isBinary)
        session?.handled()
      } catch (error) {
        failed(error, session)
      }
    },
    ping: (socket) => {
      const { session } = socket.getUserData()
      try {
        session?.receivedPing()
      } catch (error) {
        failed(error, session)
      }
    },
    drain: (socket) => {
      const { session } = socket.getUserData()
      try {
        session?.connection.drained()
      } catch (error) {
        failed(error, session)
      }
    },
    close: (socket, code) => {
      const { session } = socket.getUserData()
      try {
        metrics.closed(code)
        if (session === null) return
        sessions.remove(session)
        session.closed()
      } catch (error) {
        failed(error, null)
      }
    },
  })
}

function refuse(res: HttpResponse, answer: HttpAnswer): void {
  sendAnswer(res, answer, { isHead: false, closes: true }, () => {})
}
