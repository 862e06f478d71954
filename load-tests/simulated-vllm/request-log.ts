/** What became of each generation request: enough to prove that nothing was generated twice. Holds no text. */

/**
 * `stop` and `length` are the reply's own ends; `aborted`: the client closed the connection, also while
 * stalled by a fault; `fault`: a fault ended it; `rejected`: the queue was full.
 */
export type RequestState = 'waiting' | 'running' | 'stop' | 'length' | 'aborted' | 'fault' | 'rejected';

export interface RequestRecord {
  readonly id: string;
  readonly path: string;
  readonly stream: boolean;
  /** Milliseconds since 1970. */
  readonly startedAt: number;
  readonly endedAt: number | null;
  /** Tag of the last user message, as the reply begins with it: eight hexadecimal digits. */
  readonly tag: string;
  /** Hash of the prompt without what it holds of the reply: a generation and its resumptions have the same. */
  readonly promptHash: string;
  readonly promptTokens: number;
  /** Tokens of the reply that the prompt brought along; 0: a generation from the start. */
  readonly resumedAt: number;
  /** Whether those tokens were exactly what the reply begins with. */
  readonly resumedIntact: boolean;
  readonly maxTokens: number;
  readonly tokensSent: number;
  readonly state: RequestState;
  /** Other requests for the same prompt that were waiting or running when this one came. */
  readonly overlapping: number;
  /** Kinds of the faults that were given to the request. */
  readonly faults: readonly string[];
}

export type MutableRecord = { -readonly [Field in keyof RequestRecord]: RequestRecord[Field] };

export function hashPrompt(ids: readonly number[], end: number): string {
  let hash = 0x811c9dc5;
  for (let index = 0; index < end; index++) {
    const id = ids[index] ?? 0;
    hash = Math.imul(hash ^ (id & 0xffff), 0x01000193);
    hash = Math.imul(hash ^ (id >>> 16), 0x01000193);
  }
  return (hash >>> 0).toString(16).padStart(8, '0');
}

/** The newest requests, oldest first. */
export class RequestLog {
  readonly #size: number;
  readonly #records: MutableRecord[] = [];
  readonly #live = new Map<string, number>();
  #forgotten = 0;

  constructor(size: number) {
    this.#size = size;
  }

  /** A live view: fields change while a request runs. */
  get records(): readonly RequestRecord[] {
    return this.#records;
  }

  /** Requests that the log no longer holds. */
  get forgotten(): number {
    return this.#forgotten;
  }

  /** Enters a request, which counts as overlapping with later ones until `close`. */
  open(fields: Omit<RequestRecord, 'endedAt' | 'tokensSent' | 'state' | 'overlapping' | 'startedAt'>): MutableRecord {
    const overlapping = this.#live.get(fields.promptHash) ?? 0;
    this.#live.set(fields.promptHash, overlapping + 1);
    const record: MutableRecord = { ...fields, startedAt: Date.now(), endedAt: null, tokensSent: 0, state: 'waiting', overlapping };
    this.#records.push(record);
    if (this.#records.length > this.#size) {
      this.#records.shift();
      this.#forgotten += 1;
    }
    return record;
  }

  close(record: MutableRecord, state: RequestState): void {
    record.state = state;
    record.endedAt = Date.now();
    const live = (this.#live.get(record.promptHash) ?? 1) - 1;
    if (live === 0) this.#live.delete(record.promptHash);
    else this.#live.set(record.promptHash, live);
  }
}
