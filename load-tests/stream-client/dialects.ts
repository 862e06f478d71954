import { Chatterbot } from './chatterbot-dialect.ts'
import { openFramed } from './framed-session.ts'
import { openai, openHttp, plainSse } from './http-dialects.ts'
import { Centrifugo, PlainWebSocket, SocketIo } from './plain-dialects.ts'
import type { Dialects } from './session.ts'

export const dialects: Dialects = {
  chatterbot: (server, userId) => openFramed(new Chatterbot(server.apiKey === null ? { user_id: userId } : { token: server.apiKey }), server),
  websocket: (server) => openFramed(new PlainWebSocket(), server),
  'socket.io': (server) => openFramed(new SocketIo(), server),
  centrifugo: (server, userId) => openFramed(new Centrifugo(userId), server),
  sse: (server) => openHttp(plainSse, server),
  openai: (server) => openHttp(openai, server),
}
