/** What a run was told, in the environment that `k6 run -e` passes on. `npm run load` sets all of it. */

/** Where the server is, without a path: `http://host:port`. */
export const baseUrl = (__ENV['BASE_URL'] ?? 'http://127.0.0.1:8001').replace(/\/+$/, '')

/** An API key or a token; absent where the server asks for none. It is then told the user of each virtual user. */
export const apiKey = __ENV['API_KEY'] ?? ''

/** Tokens of each reply that are asked for. */
export const replyTokens = Number(__ENV['REPLY_TOKENS'] ?? 60)

/** Seconds between a reply and the next message, on average. */
export const thinkS = Number(__ENV['THINK_S'] ?? 5)

/** Messages of one conversation. */
export const turnsPerConversation = Number(__ENV['TURNS'] ?? 4)

/** Whether the engine is the simulated one, whose replies every client can verify. */
export const verifies = __ENV['VERIFY'] === 'true'

export const scenario = __ENV['SCENARIO'] ?? 'smoke'

/** People at the same time, at the height of the scenario. */
export const people = Number(__ENV['PEOPLE'] ?? 20)

/** Conversations that a virtual user of k6 holds at the same time: more of them take less of the machine of the load than more virtual users. */
export const chatsEach = Number(__ENV['CHATS_EACH'] ?? 1)

/** Requests a second over HTTP, of the scenario `requests`. */
export const requestsPerSecond = Number(__ENV['RATE'] ?? 100)

/** Seconds that the height lasts. */
export const holdS = Number(__ENV['HOLD_S'] ?? 60)

/** Seconds after which a reply that has not ended counts as lost. */
export const patienceS = 120

/** Of this virtual user, new with each run. */
export function userId(run: string): string {
  return `load-${run}-${__VU}`
}

export function headers(run: string): Record<string, string> {
  return { 'Content-Type': 'application/json', ...(apiKey === '' ? { 'X-User-Id': userId(run) } : { Authorization: `Bearer ${apiKey}` }) }
}

/** The simulated engine reads the length from the message. */
export function question(what: string): string {
  return `${what} ${__VU}-${__ITER}-${Math.floor(Math.random() * 1e9)} [[tokens=${replyTokens}]]`
}

/** Exponential, as nobody's thinking keeps time. */
export function thinkingS(): number {
  return Math.min(thinkS * 5, -Math.log(1 - Math.random()) * thinkS)
}
