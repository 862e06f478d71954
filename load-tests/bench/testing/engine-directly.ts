/** The engine asked without ChatterBot: the floor. */
import { Agent, request } from 'undici'

/** The first chunk names the role, and has no text. */
const firstText = /"content":"[^"]/

const agent = new Agent({ connections: null, pipelining: 1 })

/** Milliseconds from `began` to the first text; resolves at the end of the reply. */
export async function askEngine(url: string, question: string, began: number): Promise<number> {
  const { body } = await request(`${url}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ model: 'simulated', stream: true, max_tokens: 1024, messages: [{ role: 'user', content: question }] }),
    dispatcher: agent,
  })
  let firstMs = Number.NaN
  for await (const chunk of body as AsyncIterable<Buffer>) {
    if (Number.isNaN(firstMs) && firstText.test(chunk.toString('latin1'))) firstMs = performance.now() - began
  }
  return firstMs
}

export function leaveEngine(): Promise<void> {
  return agent.close()
}
