/** Names on the bus. `edges` is the queue group that answers for every conversation. */
export const edgesQueueGroup = 'edges'
export const beginSubject = 'turn.begin'
export const contextSubject = 'turn.context'
export const finishSubject = 'turn.finish'
/** An operator asks for a failed turn to be tried again. */
export const retrySubject = 'turn.retry'
/** What the engines serve, asked of any bridge. */
export const bridgesQueueGroup = 'bridges'
export const modelsSubject = 'models.list'
/** Batches of deltas and beats of one bridge for one edge. */
export const deltasSubject = (node: string): string => `edge.${node}.deltas`
/** Begin and finish asked of one edge: of the owner, by a bridge that knows it and by edges that were asked instead. */
export const beginSubjectOf = (node: string): string => `edge.${node}.begin`
export const finishSubjectOf = (node: string): string => `edge.${node}.finish`
/** Commands of clients of other edges, and their requests to follow a conversation. */
export const commandsSubject = (node: string): string => `edge.${node}.commands`
export const followSubject = (node: string): string => `edge.${node}.follow`
/** Conversations that were taken from this edge by force. */
export const takenSubject = (node: string): string => `edge.${node}.taken`
/** What edges that follow a conversation of this one have to say. */
export const followersSubject = (node: string): string => `edge.${node}.followers`
/** Batches of what happens to the conversations that this edge follows. */
export const followedSubject = (node: string): string => `edge.${node}.followed`
/** Requests of edges to one bridge: abort, attach. */
export const controlSubject = (bridge: string): string => `bridge.${bridge}.control`

/** Bytes of the largest message on the bus. */
export const busMessageBytes = 512 * 1024
/** Version of the bus messages. A process understands this one and the one before. */
export const busVersion = 1
