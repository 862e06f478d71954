import { centrifugo } from './centrifugo.ts'
import { fastapiAiohttp, fastapiHttpx } from './fastapi.ts'
import { litellm } from './litellm.ts'
import { nginx } from './nginx.ts'
import { fastify, socketIo, ws } from './node-peers.ts'
import type { PeerKind } from './peer.ts'

/** Whom ChatterBot is measured beside: one process each, or as few as there must be. */
export const peers: readonly PeerKind[] = [nginx, ws, socketIo, fastify, fastapiAiohttp, fastapiHttpx, litellm, centrifugo]
