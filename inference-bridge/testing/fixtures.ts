/** Recorded bytes of a real vLLM. They stand beside the sources, which compiled tests find from the root of the repository. */
import { readFileSync } from 'node:fs'
import { repositoryPath } from '../../protocol/docs/repository.ts'

export function vllmFixture(name: string): Buffer {
  return readFileSync(repositoryPath(`inference-bridge/vllm/fixtures/${name}`))
}

/** Every kind of stream that was recorded. */
export const recordedStreams = [
  'chat_stream_continuous_usage.sse',
  'chat_stream_length.sse',
  'chat_stream_plain.sse',
  'chat_stream_stopstring.sse',
  'chat_stream_unicode.sse',
  'chat_stream_usage_ids.sse',
  'err_queue_full_race_http200.sse',
  'resume_completions_cut50.sse',
  'resume_full_chat.sse',
  'sigterm_stream_timeout0.sse',
  'sse_keepalive_queued.sse',
] as const

/** The data of each event of a recorded stream, all of which have one line of it. */
export function recordedEvents(name: string): string[] {
  return vllmFixture(name).toString().split('\n\n').filter((event) => event.startsWith('data: ')).map((event) => event.slice('data: '.length))
}
