/** Every operation of the HTTP API by its id, and the groups in which the documentation tells of them. */
import { openAiOperations } from '../openai/operations.ts'
import type { Operation } from '../rest/operation.ts'
import { restOperations } from '../rest/operations.ts'

export const allOperations: Readonly<Record<string, Operation>> = { ...restOperations, ...openAiOperations }

export interface OperationGroup {
  readonly name: string
  readonly description: string
  /** Beginnings of the paths that belong to it. */
  readonly paths: readonly string[]
}

export const operationGroups: readonly OperationGroup[] = [
  { name: 'Chat', description: 'A message, and the reply to it: at once, as a stream, or later.', paths: ['/chat', '/stream-chat', '/stream', '/turns'] },
  { name: 'Conversations', description: 'What was said, and where more is said. Only whoever a conversation belongs to can see it.', paths: ['/conversations'] },
  { name: 'OpenAI', description: 'What clients of the OpenAI API ask for. Errors have its form too.', paths: ['/v1'] },
  { name: 'Access', description: 'Credentials for clients that cannot send headers, as browsers do with WebSocket and EventSource.', paths: ['/tickets'] },
]

export function groupOf({ path }: Operation): OperationGroup | undefined {
  return operationGroups.find(({ paths }) => paths.some((beginning) => path === beginning || path.startsWith(`${beginning}/`)))
}
