/** Names on the bus. `edges` is the queue group that answers for every conversation. */
export const edgesQueueGroup = 'edges'
export const beginSubject = 'turn.begin'
export const contextSubject = 'turn.context'
export const finishSubject = 'turn.finish'
/** Batches of deltas and beats of one bridge for one edge. */
export const deltasSubject = (node: string): string => `edge.${node}.deltas`
/** Requests of edges to one bridge: abort, attach. */
export const controlSubject = (bridge: string): string => `bridge.${bridge}.control`

/** Bytes of the largest message on the bus. */
export const busMessageBytes = 512 * 1024
/** Version of the bus messages. A process understands this one and the one before. */
export const busVersion = 1
