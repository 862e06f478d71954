/** Every option of every process: name in the environment, type, default and help. docs/configuration.md is made from this. */
import type { OptionDefinition } from './option.ts'
import { logLevels } from '../logging/logger.ts'

export const options = {
  PORT: { type: 'integer', default: 8001, min: 0, max: 65535, help: 'Port of the edge. 0: any free one.' },
  HOST: { type: 'string', default: '127.0.0.1', help: 'Address the edge listens on. 0.0.0.0: everybody who can reach this machine.' },
  LOG_LEVEL: { type: 'string', default: 'info', choices: logLevels, help: 'Least level that is logged.' },
  DATABASE_URL: { type: 'urls', protocols: ['postgres:', 'postgresql:'], secret: true, help: 'Postgres, version 15 or later; several shards with commas between. Absent: an embedded database in the data folder, for one process.' },
  NATS_URL: { type: 'urls', protocols: ['nats:', 'tls:'], secret: true, help: 'NATS, version 2.12 or later. Absent: a bus in memory, for one process.' },
  CHATTERBOT_JOB_REPLICAS: { type: 'integer', default: 1, min: 1, max: 5, help: 'Servers of a NATS cluster that hold each job. With three or more servers: 3.' },
  REDIS_URL: { type: 'url', default: null, protocols: ['redis:', 'rediss:'], secret: true, help: 'Redis, version 7 or later, for caches and limits that processes share; set its maxmemory, and `maxmemory-policy allkeys-lru`. Nothing is lost with it. Absent: each process keeps its own in memory.' },
  CHATTERBOT_DATA_DIR: { type: 'path', default: null, defaultText: "the user's data folder, e.g. ~/.local/share/chatterbot", help: 'Where the embedded database keeps its data.' },
  CHATTERBOT_CACHE_DIR: { type: 'path', default: null, defaultText: "the user's cache folder, e.g. ~/.cache/chatterbot", help: 'Where the local model is kept.' },
  CHATTERBOT_NODE_ID: { type: 'string', default: 'standalone', pattern: /^[A-Za-z0-9_-]{1,64}$/, help: 'Name of this process among the others; no two may share one. To be set wherever `NATS_URL` is.' },
  CHATTERBOT_ENGINE_URL: { type: 'urls', protocols: ['http:', 'https:'], help: 'Engines with an OpenAI-compatible API (vLLM, Ollama, llama.cpp), with commas between, without /v1. Absent: a small local model.' },
  CHATTERBOT_ENGINE_API_KEY: { type: 'string', default: null, secret: true, help: 'Bearer token for the engines.' },
  CHATTERBOT_ENGINE_CONCURRENCY: { type: 'integer', default: null, min: 1, max: 10_000, help: 'Replies that an engine writes at once. Absent: 64, and 4 for the local model.' },
  CHATTERBOT_MODEL_PATH: { type: 'path', default: null, help: 'GGUF file of the local model. Absent: SmolLM2-135M-Instruct, fetched once.' },
  CHATTERBOT_MODEL_HUB_URL: { type: 'url', default: null, protocols: ['http:', 'https:'], help: 'Where the local model is fetched from. Absent: its public hub.' },
  CHATTERBOT_SYSTEM_PROMPT: { type: 'string', default: null, help: 'System prompt of conversations that bring none of their own.' },
  CHATTERBOT_MAX_TOKENS: { type: 'integer', default: 1024, min: 1, max: 131_072, help: 'Longest reply, in tokens, where a message asks for no other.' },
  CHATTERBOT_RESULT_CACHE_SECONDS: { type: 'integer', default: 300, min: 0, max: 86_400, help: 'How long a reply at temperature 0 is kept, for when the same user asks the very same. 0: not at all.' },
  CHATTERBOT_TURN_DEADLINE_SECONDS: { type: 'integer', default: 600, min: 5, max: 86_400, help: 'A reply that is not complete by then fails.' },
  CHATTERBOT_STATUS_PORT: { type: 'integer', default: null, min: 0, max: 65535, help: 'Port of an edge or a bridge of its own for `/health`, `/ready` and `/metrics`. 0: any free one. Absent: none.' },
  CHATTERBOT_STATUS_HOST: { type: 'string', default: '127.0.0.1', help: 'Address of that port. In a container: 0.0.0.0.' },
  CHATTERBOT_END_WITH_INPUT: { type: 'boolean', default: false, help: 'Whether an edge or a bridge ends when its standard input does: for a program that starts it and must not leave it behind.' },
  CHATTERBOT_DRAIN_SECONDS: { type: 'integer', default: 20, min: 0, max: 3_600, help: 'How long SIGTERM waits for running replies and for clients to go.' },
  CHATTERBOT_SOCKETS_PER_ADDRESS: { type: 'integer', default: 100, min: 1, max: 1_000_000, help: 'WebSocket connections from one address.' },
  CHATTERBOT_SOCKETS_PER_USER: { type: 'integer', default: 20, min: 1, max: 100_000, help: 'WebSocket connections of one user.' },
  CHATTERBOT_FRAMES_PER_SECOND: { type: 'integer', default: 50, min: 1, max: 100_000, help: 'Frames a connection may send a second, on average.' },
  CHATTERBOT_OPEN_CONVERSATIONS: { type: 'integer', default: 32, min: 1, max: 10_000, help: 'Conversations a connection may have open.' },
  CHATTERBOT_TURNS_PER_MINUTE: { type: 'integer', default: 60, min: 1, max: 10_000_000, help: 'Messages, edits and regenerations of one user that are accepted in a minute. Here and below, of the default plan: docs/limits.md.' },
  CHATTERBOT_CONCURRENT_TURNS: { type: 'integer', default: 64, min: 1, max: 1_000_000, help: 'Replies of one user that wait or are written at a time.' },
  CHATTERBOT_REQUESTS_PER_MINUTE: { type: 'integer', default: 600, min: 1, max: 10_000_000, help: 'HTTP requests of one user in a minute.' },
  CHATTERBOT_PLANS_FILE: { type: 'path', default: null, help: 'JSON with the limits of plans. Absent: all users have the default plan.' },
  CHATTERBOT_REQUESTS_PER_ADDRESS: { type: 'integer', default: 6_000, min: 1, max: 10_000_000, help: 'HTTP requests from one address in a minute, of each edge.' },
  CHATTERBOT_TRUSTED_PROXIES: { type: 'networks', help: 'Networks of proxies that tell where a request comes from, with commas between. Absent: it comes from whoever connects.' },
  CHATTERBOT_FORWARDED_HEADER: { type: 'string', default: 'x-forwarded-for', choices: ['x-forwarded-for', 'forwarded'], help: 'The header in which they tell it. They must set it or add to it: what clients write into the other one is not believed.' },
  CHATTERBOT_ALLOWED_ORIGINS: { type: 'string', default: null, help: 'Origins of pages that may connect, with commas between. Absent: the page that this server serves, and programs.' },
} as const satisfies Record<string, OptionDefinition>

export type OptionName = keyof typeof options
