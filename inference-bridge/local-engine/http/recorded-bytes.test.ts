/** From the tokens of a recorded reply, the formats must make the recorded bytes again. */
import { readFileSync } from 'node:fs'
import path from 'node:path'
import t from 'tap'
import { repositoryRoot } from '../../../tests/harness/repository.ts'
import { vllmFixture } from '../../testing/fixtures.ts'
import type { GeneratedToken } from '../engine/generated-token.ts'
import { chatFormat } from './chat-format.ts'
import { completionFormat } from './completion-format.ts'
import { busyFault, faultBody, faultEvent } from './faults.ts'
import type { ReplyFormat, ReplyOptions } from './reply-format.ts'
import type { ReplyHead } from './reply-head.ts'

interface RecordedChoice {
  readonly delta?: { readonly role?: string; readonly content: string }
  readonly text?: string
  readonly finish_reason: 'stop' | 'length' | null
  readonly stop_reason?: number | null
  readonly prompt_token_ids?: readonly number[] | null
  readonly token_ids?: readonly number[] | null
}

interface RecordedChunk extends ReplyHead {
  readonly choices: readonly [RecordedChoice?]
  readonly usage?: { readonly prompt_tokens: number }
  readonly prompt_token_ids?: readonly number[] | null
  readonly system_fingerprint?: string
}

function rewrite(recorded: string, format: (head: ReplyHead, options: ReplyOptions) => ReplyFormat): string {
  const events = recorded.split('\n\n').filter((event) => event.startsWith('data: {'))
  const chunks = events.map((event) => JSON.parse(event.slice('data: '.length)) as RecordedChunk)
  const first = chunks[0]
  if (first === undefined) throw new Error('an empty recording')
  const promptIds = first.prompt_token_ids ?? first.choices[0]?.prompt_token_ids
  const usage = chunks.at(-1)?.usage
  const { id, created, model } = first
  const writer = format(
    { id, created, model },
    {
      promptIds: promptIds ?? [],
      returnTokenIds: promptIds !== null && promptIds !== undefined,
      includeUsage: usage !== undefined,
      fingerprint: chunks.find((chunk) => chunk.system_fingerprint !== undefined)?.system_fingerprint ?? '',
    },
  )
  const tokens = chunks.flatMap(({ choices: [choice] }): GeneratedToken[] => {
    if (choice === undefined || choice.delta?.role !== undefined) return []
    const { finish_reason: reason, stop_reason: stopReason = null } = choice
    return [{ id: choice.token_ids?.[0] ?? -1, text: choice.delta?.content ?? choice.text ?? '', finish: reason === null ? null : { reason, stopReason } }]
  })
  const written = tokens.flatMap((token, index) => writer.chunks(token, index === 0))
  if (usage !== undefined) written.push(writer.usageChunk(tokens.length))
  return [...written.map((chunk) => `data: ${JSON.stringify(chunk)}\n\n`), 'data: [DONE]\n\n'].join('')
}

for (const name of ['chat_stream_plain', 'chat_stream_length', 'chat_stream_usage_ids', 'chat_stream_unicode', 'resume_full_chat']) {
  t.test(`a chat is streamed as vLLM does: ${name}`, (t) => {
    const recorded = vllmFixture(`${name}.sse`).toString()
    t.equal(rewrite(recorded, chatFormat).trimEnd(), recorded.trimEnd())
    t.end()
  })
}

t.test('a completion is streamed as vLLM does', (t) => {
  const recorded = vllmFixture('resume_completions_cut50.sse').toString()
  t.equal(rewrite(recorded, completionFormat).trimEnd(), recorded.trimEnd())
  t.end()
})

t.test('a whole chat is written as vLLM does', (t) => {
  const recorded = readFileSync(path.join(repositoryRoot(), 'inference-bridge/local-engine/fixtures/chat_nonstream.json'), 'utf8')
  const { id, created, model, system_fingerprint: fingerprint, prompt_token_ids: promptIds, choices } = JSON.parse(recorded) as {
    id: string
    created: number
    model: string
    system_fingerprint: string
    prompt_token_ids: number[]
    choices: [{ message: { content: string }; token_ids: number[] }]
  }
  const { message, token_ids: ids } = choices[0]
  const tokens = ids.map((tokenId, index): GeneratedToken => ({
    id: tokenId,
    text: index === 0 ? message.content : '',
    finish: index === ids.length - 1 ? { reason: 'stop', stopReason: null } : null,
  }))
  const written = chatFormat({ id, created, model }, { promptIds, returnTokenIds: true, includeUsage: false, fingerprint }).whole(tokens)
  t.equal(JSON.stringify(written), recorded.trimEnd())
  t.end()
})

t.test('a full queue is told as vLLM does, before and within a stream', (t) => {
  t.equal(faultBody(busyFault()), vllmFixture('err_queue_full_stream.sse').toString().trimEnd())
  t.equal(`data: ${faultEvent(busyFault())}\n\ndata: [DONE]`, vllmFixture('err_queue_full_race_http200.sse').toString().trimEnd())
  t.end()
})
