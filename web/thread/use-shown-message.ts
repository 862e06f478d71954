import { useAuiState } from '@assistant-ui/react'
import type { ShownMessage } from '../session/views.ts'

/** Our own message behind the one that the surface renders; undefined in a placeholder of the surface. */
export function useShownMessage(): ShownMessage | undefined {
  return useAuiState(({ message }) => message.metadata.custom['shown'] as ShownMessage | undefined)
}
