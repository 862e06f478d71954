/**
 * The ChatML template of SmolLM2-Instruct, as its GGUF and tokenizer_config.json state it, in pieces rather than as one
 * string: markers become their token, text is tokenized as plain text. So nobody forges a turn by typing a marker.
 */
export interface ChatMessage {
  /** Not checked, as vLLM does not for this template. */
  readonly role: string
  readonly content: string
}

export type PromptPiece = { readonly marker: typeof turnStart | typeof turnEnd } | { readonly text: string }

export const turnStart = '<|im_start|>'
export const turnEnd = '<|im_end|>'

const defaultSystemPrompt = 'You are a helpful AI assistant named SmolLM, trained by Hugging Face'

/** `addGenerationPrompt`: end with the head of an assistant's turn, for the model to fill. */
export function renderChat(messages: readonly ChatMessage[], addGenerationPrompt: boolean): PromptPiece[] {
  const turns = messages[0] === undefined || messages[0].role === 'system' ? messages : [{ role: 'system', content: defaultSystemPrompt }, ...messages]
  const pieces: PromptPiece[] = turns.flatMap(({ role, content }) => [
    { marker: turnStart },
    { text: `${role}\n${content}` },
    { marker: turnEnd },
    { text: '\n' },
  ])
  if (addGenerationPrompt) pieces.push({ marker: turnStart }, { text: 'assistant\n' })
  return pieces
}
