/** Faults to order, set at run time: what goes wrong, for how many requests, and at which token. */

/**
 * Where in a reply a fault comes: after so many tokens of this request, or at this position of the reply,
 * wherever the request began. With `atToken` a reply breaks once: the request that resumes it begins there
 * already.
 */
interface TokenPosition {
  readonly afterTokens?: number;
  readonly atToken?: number;
}

/** Only the next so many requests that the fault can hit; without it, until the faults are set anew. */
interface RequestCount {
  readonly requests?: number;
}

/**
 * - `refuse`: the port is closed (connection refused), and requests on open connections are reset; running
 *   streams go on. For `forMs` milliseconds if given.
 * - `reset`: the connection is closed before any answer
 * - `http_error`: 503 as from a full queue, or 500 as from an engine that is shutting down
 * - `queue_full_in_stream`: HTTP 200, then the 503 as an event, then `[DONE]`
 * - `stall`: no more tokens, in silence or with keep-alives
 * - `cut`: the connection is closed, with `midFrame` in the middle of an event
 * - `error_event`: an error in mid-stream, then `[DONE]`
 * - `done_without_finish`: `[DONE]` with no `finish_reason` before it; at the reply's end if no position is given
 * - `no_token_ids`: the ids that were asked for are null
 *
 * The last four and `refuse` don't fit every request: a reply that isn't streamed gets an HTTP error for
 * `error_event` and `queue_full_in_stream`, and `done_without_finish` passes it by.
 */
export type Fault =
  | { readonly kind: 'refuse'; readonly forMs?: number }
  | ({ readonly kind: 'reset' } & RequestCount)
  | ({ readonly kind: 'http_error'; readonly status?: 500 | 503 } & RequestCount)
  | ({ readonly kind: 'queue_full_in_stream' } & RequestCount)
  | ({ readonly kind: 'stall'; readonly keepAlive?: boolean } & RequestCount & TokenPosition)
  | ({ readonly kind: 'cut'; readonly midFrame?: boolean } & RequestCount & TokenPosition)
  | ({ readonly kind: 'error_event' } & RequestCount & TokenPosition)
  | ({ readonly kind: 'done_without_finish' } & RequestCount & TokenPosition)
  | ({ readonly kind: 'no_token_ids' } & RequestCount);

export type FaultKind = Fault['kind'];
export type MidReplyFault = Extract<Fault, TokenPosition>;
type EarlyFault = Extract<Fault, { kind: 'reset' | 'http_error' | 'queue_full_in_stream' }>;

/** The faults of one request. */
export interface FaultPlan {
  /** Comes before the first token. */
  readonly early: EarlyFault | undefined;
  /** Comes when the request has sent `afterSteps` tokens. */
  readonly midReply: { readonly fault: MidReplyFault; readonly afterSteps: number } | undefined;
  readonly withoutFinish: boolean;
  readonly withoutTokenIds: boolean;
  readonly kinds: readonly FaultKind[];
}

const FIELDS: Record<FaultKind, readonly string[]> = {
  refuse: ['forMs'],
  reset: ['requests'],
  http_error: ['requests', 'status'],
  queue_full_in_stream: ['requests'],
  stall: ['requests', 'afterTokens', 'atToken', 'keepAlive'],
  cut: ['requests', 'afterTokens', 'atToken', 'midFrame'],
  error_event: ['requests', 'afterTokens', 'atToken'],
  done_without_finish: ['requests', 'afterTokens', 'atToken'],
  no_token_ids: ['requests'],
};
const FLAGS: readonly string[] = ['keepAlive', 'midFrame'];
const MAX_FAULTS = 64;

/** Checks faults that came as JSON. @throws RangeError that says what is wrong. */
export function parseFaults(value: unknown): Fault[] {
  if (!Array.isArray(value) || value.length > MAX_FAULTS) throw new RangeError(`faults must be a list of at most ${MAX_FAULTS}`);
  for (const fault of value as unknown[]) {
    const fields = typeof fault === 'object' && fault !== null ? (fault as Record<string, unknown>) : {};
    const kind = fields['kind'];
    if (typeof kind !== 'string' || !Object.hasOwn(FIELDS, kind)) throw new RangeError(`kind must be one of ${Object.keys(FIELDS).join(', ')}`);
    for (const [name, given] of Object.entries(fields)) {
      if (name === 'kind') continue;
      if (!FIELDS[kind as FaultKind].includes(name)) throw new RangeError(`${kind} has no field ${name}`);
      if (FLAGS.includes(name) ? typeof given !== 'boolean' : !(Number.isSafeInteger(given) && (given as number) >= 0)) {
        throw new RangeError(`${kind}.${name} must be ${FLAGS.includes(name) ? 'true or false' : 'a whole number from 0'}`);
      }
      if (name === 'status' && given !== 500 && given !== 503) throw new RangeError('http_error.status must be 500 or 503');
    }
    if (fields['afterTokens'] !== undefined && fields['atToken'] !== undefined) throw new RangeError(`${kind} takes afterTokens or atToken, not both`);
  }
  return value as Fault[];
}

interface ActiveFault {
  readonly fault: Fault;
  left: number;
}

/** The faults in force. */
export class FaultBoard {
  readonly #onRefuse: (refuse: boolean) => void;
  #active: ActiveFault[] = [];
  #refusal: NodeJS.Timeout | undefined;

  /** `onRefuse` closes and opens the port. */
  constructor(onRefuse: (refuse: boolean) => void) {
    this.#onRefuse = onRefuse;
  }

  /** Replaces all faults; requests under way keep theirs. @throws RangeError */
  set(faults: readonly Fault[]): void {
    const parsed = parseFaults([...faults]);
    clearTimeout(this.#refusal);
    this.#active = parsed.map((fault) => ({ fault, left: ('requests' in fault ? fault.requests : undefined) ?? Number.POSITIVE_INFINITY }));
    const refusal = parsed.find((fault) => fault.kind === 'refuse');
    this.#onRefuse(refusal !== undefined);
    if (refusal?.forMs !== undefined) this.#refusal = setTimeout(() => this.#endRefusal(), refusal.forMs);
  }

  clear(): void {
    this.set([]);
  }

  /** Faults that can still hit a request, `requests` counted down. */
  get active(): readonly Fault[] {
    return this.#active
      .filter(({ left }) => left > 0)
      .map(({ fault, left }) => (Number.isFinite(left) ? ({ ...fault, requests: left } as Fault) : fault));
  }

  get refusing(): boolean {
    return this.#active.some(({ fault }) => fault.kind === 'refuse');
  }

  #endRefusal(): void {
    this.#active = this.#active.filter(({ fault }) => fault.kind !== 'refuse');
    this.#onRefuse(false);
  }

  /** Stops the timer without opening the port again. */
  close(): void {
    clearTimeout(this.#refusal);
    this.#active = [];
  }

  /**
   * Takes the faults that hit a request whose reply goes on at position `from` and takes `steps` tokens.
   * Of several that would end it, the earliest does, and only that one is counted down.
   */
  take(from: number, steps: number, stream: boolean): FaultPlan {
    const ready = this.#active.filter(({ left }) => left > 0);
    let early: EarlyFault | undefined;
    let midReply: FaultPlan['midReply'];
    const hits: ActiveFault[] = [];
    const first = ready.find(({ fault }) => fault.kind === 'reset' || fault.kind === 'http_error' || fault.kind === 'queue_full_in_stream');
    if (first !== undefined) {
      early = first.fault as EarlyFault;
      hits.push(first);
    } else {
      let ending: ActiveFault | undefined;
      for (const entry of ready) {
        const { fault } = entry;
        if (fault.kind === 'no_token_ids' || isMissingFinish(fault, stream)) hits.push(entry);
        const afterSteps = stepsBefore(fault, from, stream);
        if (afterSteps === undefined || afterSteps >= steps || (midReply !== undefined && midReply.afterSteps <= afterSteps)) continue;
        midReply = { fault: fault as MidReplyFault, afterSteps };
        ending = entry;
      }
      if (ending !== undefined) hits.push(ending);
    }
    for (const entry of hits) entry.left -= 1;
    const kinds = hits.map(({ fault }) => fault.kind);
    const withoutFinish = hits.some(({ fault }) => isMissingFinish(fault, stream));
    return { early, midReply, withoutFinish, withoutTokenIds: kinds.includes('no_token_ids'), kinds };
  }
}

/** Whether the fault is a reply that runs to its end, and then lacks the finish reason. */
function isMissingFinish(fault: Fault, stream: boolean): boolean {
  return stream && fault.kind === 'done_without_finish' && fault.afterTokens === undefined && fault.atToken === undefined;
}

/** Tokens that a request whose reply goes on at `from` sends before the fault; undefined if it can't be hit by it. */
function stepsBefore(fault: Fault, from: number, stream: boolean): number | undefined {
  switch (fault.kind) {
    case 'done_without_finish':
      if (!stream || isMissingFinish(fault, stream)) return undefined;
      break;
    case 'stall':
    case 'cut':
    case 'error_event':
      break;
    default:
      return undefined;
  }
  if (fault.atToken === undefined) return fault.afterTokens ?? 0;
  // A request that begins where the fault sits resumes what the fault broke.
  return fault.atToken > from || (fault.atToken === 0 && from === 0) ? fault.atToken - from : undefined;
}
