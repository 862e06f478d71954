/**
 * Load on a running ChatterBot, for k6: `npm run load`, or by itself
 *
 *     k6 run -e BASE_URL=http://127.0.0.1:8001 -e SCENARIO=smoke load-tests/k6/chat.ts
 */
import { check, sleep } from 'k6'
import http from 'k6/http'
import type { Options } from 'k6/options'
import { failed, judge, refused, wholeReply } from './measures.ts'
import { scenariosOf } from './scenarios.ts'
import { baseUrl, chatsEach, headers, holdS, question, replyTokens, scenario, thinkingS, userId, verifies } from './settings.ts'
import { textOf } from './text-of.ts'
import { Chat, type Run } from './websocket-chat.ts'

export const options: Options = {
  scenarios: scenariosOf(scenario),
  thresholds: {
    // The specification's: first token under 500 ms; 50 to 100 requests a second, none of which may fall behind. A smoke test asks whether it works, on however busy a machine.
    ...(scenario === 'smoke' || scenario === 'requests' ? {} : { first_token: [{ threshold: 'p(95)<500', abortOnFail: scenario === 'breakpoint', delayAbortEval: '10s' }] }),
    // And every API has been used.
    ...(scenario === 'smoke' ? Object.fromEntries(Object.keys(scenariosOf(scenario)).map((name) => [`iterations{scenario:${name}}`, ['count>0']])) : {}),
    ...(scenario === 'requests' ? { dropped_iterations: ['count==0'], turns_refused: ['count==0'] } : {}),
    // What it does not say, as it goes without saying.
    replies_lost: ['count==0'],
    replies_doubled: ['count==0'],
    replies_reordered: ['count==0'],
    turns_failed: ['count==0'],
    checks: ['rate==1'],
  },
  summaryTrendStats: ['min', 'med', 'avg', 'p(90)', 'p(95)', 'p(99)', 'max'],
}

export function setup(): Run {
  const ready = http.get(`${baseUrl}/ready`)
  if (ready.status !== 200) throw new Error(`${baseUrl}/ready answers ${ready.status}: ${textOf(ready.body)}`)
  const id = Math.random().toString(36).slice(2, 10)
  return { id, stormAt: scenario === 'storm' ? Date.now() + Math.round(holdS * 0.7) * 1_000 : null }
}

/** Conversations over WebSockets, one each. k6 waits for their connections and timers. */
export function websocketChat(run: Run): void {
  for (let n = 0; n < chatsEach; n += 1) new Chat(run)
}

/** The specification's synchronous endpoint. */
export function restChat(run: Run): void {
  const message = question('Explain')
  const answer = http.post(`${baseUrl}/chat`, JSON.stringify({ message, user_id: userId(run.id), context: [], stream: false }), { headers: headers(run.id), timeout: '120s', tags: { name: '/chat' } })
  if (taken(answer.status)) {
    wholeReply.add(answer.timings.duration)
    judge(textOf(answer.json('response')), message)
  }
  sleep(thinkingS())
}

/** The specification's streaming endpoints. k6 gives a body when it is whole: when text came is measured over WebSockets. */
export function streamChat(run: Run): void {
  const message = question('Tell me about')
  const begun = http.post(`${baseUrl}/stream-chat`, JSON.stringify({ message, user_id: userId(run.id), context: [], stream: true }), { headers: headers(run.id), tags: { name: '/stream-chat' } })
  if (taken(begun.status)) {
    const stream = http.get(`${baseUrl}${textOf(begun.json('stream_endpoint'))}`, { headers: headers(run.id), timeout: '120s', tags: { name: '/stream' } })
    const events = dataOf(textOf(stream.body))
    check(events, { 'a stream ends with [DONE]': (each) => each.at(-1) === '[DONE]' })
    judge(events.slice(0, -1).map((each) => (JSON.parse(each) as { token?: string }).token ?? '').join(''), message)
  }
  sleep(thinkingS())
}

/** As an OpenAI SDK asks. */
export function openaiChat(run: Run): void {
  const message = question('Write of')
  const body = { model: __ENV['MODEL'] ?? 'simulated', messages: [{ role: 'user', content: message }], stream: true, ...(verifies ? {} : { max_tokens: replyTokens }) }
  const answer = http.post(`${baseUrl}/v1/chat/completions`, JSON.stringify(body), { headers: headers(run.id), timeout: '120s', tags: { name: '/v1/chat/completions' } })
  if (taken(answer.status)) {
    const events = dataOf(textOf(answer.body))
    check(events, { 'a stream ends with [DONE]': (each) => each.at(-1) === '[DONE]' })
    judge(events.slice(0, -1).map((each) => (JSON.parse(each) as { choices?: { delta?: { content?: string } }[] }).choices?.[0]?.delta?.content ?? '').join(''), message)
  }
  sleep(thinkingS())
}

/** Too much is told so and no failure; anything else that is no success is one. */
function taken(status: number): boolean {
  if (status === 429 || status === 503) refused.add(1, { code: String(status) })
  else if (status !== 200) failed.add(1)
  return status === 200
}

function dataOf(body: string): string[] {
  return body.split('\n').filter((line) => line.startsWith('data: ')).map((line) => line.slice('data: '.length))
}
