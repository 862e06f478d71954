/**
 * A simulated vLLM: the HTTP interface of the real one, byte for byte but for ids, times and text, without a
 * model behind it. For tests, in the same process or its own, and for benchmarks.
 */
import { randomBytes } from 'node:crypto';

import uWS, { type HttpResponse } from 'uWebSockets.js';

import { queueFull, shuttingDown } from './error-bodies.ts';
import { Engine } from './engine.ts';
import type { EngineMetrics } from './engine-metrics.ts';
import { FaultBoard, parseFaults } from './faults.ts';
import { readDetokenizeRequest, readGenerationRequest, readTokenizeRequest } from './generation-request.ts';
import { endWithBody, guarded, readBody } from './http-answers.ts';
import { JsonReply } from './json-reply.ts';
import { ListeningPort } from './listening-port.ts';
import { completeOptions, type SimulatedVllmOptions } from './options.ts';
import type { ReplyIdentity } from './reply-writer.ts';
import { tagText } from './reply.ts';
import { RequestFields } from './request-fields.ts';
import { hashPrompt, RequestLog, type RequestRecord } from './request-log.ts';
import { plannedSteps, Sequence } from './sequence.ts';
import { SseReply } from './sse-reply.ts';
import { detokenize, tokenString } from './tokenizer.ts';

export interface SimulatedVllm {
  /** Without a slash at the end. */
  readonly url: string;
  readonly port: number;
  /** The newest generation requests, oldest first; a live view. */
  readonly requests: readonly RequestRecord[];
  readonly metrics: EngineMetrics;
  readonly faults: Pick<FaultBoard, 'set' | 'clear' | 'active'>;
  /** Resolves when the condition holds; it is looked at whenever requests or tokens have moved. Rejects at `close`. */
  until(condition: () => boolean): Promise<void>;
  /** Closes the port and every connection, and aborts every request. */
  close(): Promise<void>;
}

const VERSION = '0.32.0';

/** @throws RangeError for options that are out of range, Error if the port can't be had. */
export async function startSimulatedVllm(given: Partial<SimulatedVllmOptions> = {}): Promise<SimulatedVllm> {
  const options = completeOptions(given);
  const server = new Server(options);
  try {
    server.port.open();
  } catch (error) {
    await server.close();
    throw error;
  }
  const port = server.port.number;
  return {
    url: `http://${options.host.includes(':') ? `[${options.host}]` : options.host}:${port}`,
    port,
    requests: server.log.records,
    metrics: server.engine.metrics,
    faults: server.faults,
    until: (condition) => server.engine.until(condition),
    close: () => server.close(),
  };
}

class Server {
  readonly log: RequestLog;
  readonly engine: Engine;
  readonly faults = new FaultBoard((refuse) => this.#setRefusing(refuse));
  readonly #options: SimulatedVllmOptions;
  readonly #startedAt = Math.floor(Date.now() / 1000);
  readonly #app = uWS.App();
  readonly port: ListeningPort;
  #closing: Promise<void> | undefined;

  constructor(options: SimulatedVllmOptions) {
    this.#options = options;
    this.log = new RequestLog(options.requestLogSize);
    this.engine = new Engine(options, this.log);
    this.port = new ListeningPort(this.#app, options.host, options.port);

    this.#get('/health', (res) => endWithBody(res, 200, undefined, ''));
    this.#get('/version', (res) => endWithBody(res, 200, 'application/json', JSON.stringify({ version: VERSION })));
    this.#get('/v1/models', (res) => endWithBody(res, 200, 'application/json', this.#models()));
    this.#get('/metrics', (res) => endWithBody(res, 200, 'text/plain; version=1.0.0; charset=utf-8', this.engine.renderMetrics()));
    this.#post('/tokenize', (res, body) => this.#tokenize(res, body));
    this.#post('/detokenize', (res, body) => this.#detokenize(res, body));
    this.#generation('/v1/chat/completions', 'chat');
    this.#generation('/v1/completions', 'completion');
    this.#get('/simulator/requests', (res) => endWithBody(res, 200, 'application/json', this.#requestLog()));
    this.#app.get('/simulator/faults', guarded((res) => endWithBody(res, 200, 'application/json', JSON.stringify({ faults: this.faults.active }))));
    this.#app.post('/simulator/faults', guarded((res) => readBody(res, (body) => this.#setFaults(res, body))));
    for (const path of ['/health', '/version', '/v1/models', '/metrics', '/tokenize', '/detokenize', '/v1/chat/completions', '/v1/completions']) {
      this.#app.any(path, guarded((res) => endWithBody(res, 405, 'application/json', '{"detail":"Method Not Allowed"}')));
    }
    this.#app.any('/*', guarded((res) => endWithBody(res, 404, 'application/json', '{"detail":"Not Found"}')));
  }

  close(): Promise<void> {
    this.#closing ??= (async () => {
      this.faults.close();
      this.engine.close();
      this.#app.close();
      // Sockets are freed in the next turn of the loop.
      await new Promise((resolve) => setImmediate(resolve));
    })();
    return this.#closing;
  }

  #setRefusing(refuse: boolean): void {
    if (refuse) this.port.close();
    else if (this.#closing === undefined) this.port.open();
  }

  #get(path: string, answer: (res: HttpResponse) => void): void {
    this.#app.get(path, guarded((res) => (this.#reset(res) ? undefined : answer(res))));
  }

  #post(path: string, answer: (res: HttpResponse, body: Buffer) => void): void {
    this.#app.post(path, guarded((res) => readBody(res, (body) => (this.#reset(res) ? undefined : answer(res, body)))));
  }

  #reset(res: HttpResponse): boolean {
    if (this.faults.refusing) res.close();
    return this.faults.refusing;
  }

  #generation(path: string, kind: 'chat' | 'completion'): void {
    this.#app.post(path, guarded((res, req) => {
      const requestId = req.getHeader('x-request-id');
      let sequence: Sequence | undefined;
      readBody(
        res,
        (body) => {
          if (!this.#reset(res)) sequence = this.#generate(res, path, kind, body, requestId);
        },
        () => sequence?.abort(),
      );
    }));
  }

  #generate(res: HttpResponse, path: string, kind: 'chat' | 'completion', body: Buffer, headerId: string): Sequence | undefined {
    const request = readGenerationRequest(kind, RequestFields.parse(body), this.#options);
    const { plan, promptIds } = request;
    const plainId = headerId === '' ? (request.requestId ?? randomBytes(8).toString('hex')) : headerId;
    const id = `${kind === 'chat' ? 'chatcmpl' : 'cmpl'}-${plainId}`;
    const faults = this.faults.take(plan.resumedAt, plannedSteps(request), request.stream);
    const record = this.log.open({
      id,
      path,
      stream: request.stream,
      tag: tagText(plan.tag),
      promptHash: hashPrompt(promptIds, plan.boundary),
      promptTokens: promptIds.length,
      resumedAt: plan.resumedAt,
      resumedIntact: plan.resumedIntact,
      maxTokens: request.maxTokens,
      faults: faults.kinds,
    });
    const identity: ReplyIdentity = {
      id, created: Math.floor(Date.now() / 1000), model: this.#options.model, request, withoutTokenIds: faults.withoutTokenIds,
    };
    const writer = request.stream ? new SseReply(res, identity) : new JsonReply(res, identity);
    if (faults.early !== undefined) {
      this.log.close(record, 'fault');
      if (faults.early.kind === 'reset') res.close();
      else if (faults.early.kind === 'queue_full_in_stream') writer.fail(queueFull());
      else throw faults.early.status === 500 ? shuttingDown() : queueFull();
      return undefined;
    }
    if (this.engine.rejects()) {
      this.log.close(record, 'rejected');
      throw queueFull();
    }
    const sequence = new Sequence(request, record, writer, faults, this.#options, this.engine.release);
    this.engine.submit(sequence);
    return sequence;
  }

  #tokenize(res: HttpResponse, body: Buffer): void {
    const { ids, returnStrings } = readTokenizeRequest(RequestFields.parse(body), this.#options);
    const strings = returnStrings ? ids.map(tokenString) : null;
    const answer = { count: ids.length, max_model_len: this.#options.maxModelLen, tokens: ids, token_strs: strings };
    endWithBody(res, 200, 'application/json', JSON.stringify(answer));
  }

  #detokenize(res: HttpResponse, body: Buffer): void {
    const ids = readDetokenizeRequest(RequestFields.parse(body), this.#options);
    endWithBody(res, 200, 'application/json', JSON.stringify({ prompt: detokenize(ids) }));
  }

  #models(): string {
    const { model, maxModelLen } = this.#options;
    const permission = {
      id: `modelperm-${randomBytes(8).toString('hex')}`, object: 'model_permission', created: this.#startedAt, allow_create_engine: false,
      allow_sampling: true, allow_logprobs: true, allow_search_indices: false, allow_view: true, allow_fine_tuning: false, organization: '*',
      group: null, is_blocking: false,
    };
    return JSON.stringify({
      object: 'list',
      data: [{
        id: model, object: 'model', created: this.#startedAt, owned_by: 'vllm', root: model, parent: null, max_model_len: maxModelLen,
        permission: [permission],
      }],
    });
  }

  #requestLog(): string {
    return JSON.stringify({ requests: this.log.records, forgotten: this.log.forgotten, metrics: this.engine.metrics });
  }

  #setFaults(res: HttpResponse, body: Buffer): void {
    let faults;
    try {
      faults = parseFaults((JSON.parse(body.toString('utf8')) as { faults?: unknown } | null)?.faults);
    } catch (error) {
      return endWithBody(res, 400, 'application/json', JSON.stringify({ error: (error as Error).message }));
    }
    this.faults.set(faults);
    endWithBody(res, 200, 'application/json', JSON.stringify({ faults: this.faults.active }));
  }
}
