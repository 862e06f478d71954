/**
 * Which web pages may use the API, and under which names the server may be asked. A program that is no browser sends no
 * Origin, and is none of this module's business. The answers never allow credentials of the browser's own, as cookies:
 * there are none, and whoever holds a key sends it by hand.
 */
import { ChatError } from '../../protocol/errors.ts'
import { isAllowedOrigin, isLoopback, type OriginPolicy } from '../websocket/handshake.ts'
import type { Headers } from './answer.ts'
import type { RequestHead } from './request-head.ts'

/** How long, in seconds, a browser may remember what a preflight was answered. */
const preflightSeconds = 7_200
/** What OpenAI's client for browsers tells of itself with every request. */
const openAiClientHeaders = 'OpenAI-Organization, OpenAI-Project, X-Client-Request-Id, X-Stainless-Arch, X-Stainless-Helper-Method, X-Stainless-Lang, X-Stainless-OS, X-Stainless-Package-Version, X-Stainless-Retry-Count, X-Stainless-Runtime, X-Stainless-Runtime-Version, X-Stainless-Timeout'
const requestHeaders = `Authorization, Content-Type, Idempotency-Key, If-None-Match, Last-Event-ID, Prefer, X-API-Key, X-Request-Id, X-User-Id, traceparent, ${openAiClientHeaders}`
const exposedHeaders = 'Content-Disposition, ETag, Link, Location, Preference-Applied, RateLimit, RateLimit-Policy, Retry-After, Retry-After-Ms, X-Client-Request-Id, X-Conversation-Id, X-Correlation-Id, X-Finish-Reason, X-Request-Id, X-Should-Retry'
/** Ask for nothing to be done; what a page of another origin gets for them it cannot read. */
const safeMethods = new Set(['get', 'head', 'options'])

export interface OriginRulesOptions extends OriginPolicy {
  /** Whoever can send a request is believed to be who they say: then pages of others must not even reach the server. */
  readonly asksForNoCredentials: boolean
}

export class OriginRules {
  readonly #policy: OriginPolicy
  readonly #ownHosts: ReadonlySet<string> | null

  constructor({ asksForNoCredentials, ...policy }: OriginRulesOptions) {
    this.#policy = policy
    this.#ownHosts = asksForNoCredentials && policy.onLoopback ? new Set((policy.allowed ?? []).filter((origin) => URL.canParse(origin)).map((origin) => new URL(origin).host)) : null
  }

  /**
   * Of any request; null: none. A foreign name server can have its name mean this machine, and its pages then are "of
   * this host": a server for this machine alone answers to names of this machine, and to those of its list of origins.
   */
  hostRefusal(head: RequestHead): ChatError | null {
    if (this.#ownHosts === null) return null
    const host = head.header('host').toLowerCase()
    return isLoopback(host.replace(/:\d*$/, '')) || this.#ownHosts.has(host) ? null : new ChatError('wrong_host')
  }

  /** Of one that does something; null: none. */
  refusal(head: RequestHead): ChatError | null {
    if (safeMethods.has(head.method) || this.#allows(head)) return null
    return new ChatError('forbidden', "Pages of this origin may not use the server; its list of allowed origins says which may.")
  }

  /** Of every answer of the API. */
  headers(head: RequestHead): Headers {
    const { allowed } = this.#policy
    if (allowed === null) return {}
    if (!head.has('origin') || !this.#allows(head)) return { Vary: 'Origin' }
    return { Vary: 'Origin', 'Access-Control-Allow-Origin': head.header('origin'), 'Access-Control-Expose-Headers': exposedHeaders }
  }

  /** Of the answer to OPTIONS; `methods`: those that the path takes. */
  preflightHeaders(head: RequestHead, methods: string): Headers {
    const headers = this.headers(head)
    if (!('Access-Control-Allow-Origin' in headers) || !head.has('access-control-request-method')) return headers
    return { ...headers, 'Access-Control-Allow-Methods': methods, 'Access-Control-Allow-Headers': requestHeaders, 'Access-Control-Max-Age': String(preflightSeconds) }
  }

  #allows(head: RequestHead): boolean {
    return isAllowedOrigin({ origin: head.header('origin'), host: head.header('host') }, this.#policy)
  }
}
