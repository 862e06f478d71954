/** HTTP by uWebSockets.js: what every answer has in common, and how bodies are read. */
import type { HttpRequest, HttpResponse } from 'uWebSockets.js';

import { VllmError } from './error-bodies.ts';

const MAX_BODY_BYTES = 16 * 1024 * 1024;

/** Headers of every answer beside those that the HTTP server adds itself. */
export const COMMON_HEADERS = [['server', 'uvicorn'], ['vary', 'Origin']] as const;

const STATUS_TEXTS: Readonly<Record<number, string>> = {
  200: '200 OK',
  400: '400 Bad Request',
  404: '404 Not Found',
  405: '405 Method Not Allowed',
  413: '413 Request Entity Too Large',
  500: '500 Internal Server Error',
  503: '503 Service Unavailable',
};

/** To be called inside `res.cork`. */
export function endWithBody(res: HttpResponse, status: number, contentType: string | undefined, body: string, close = false): void {
  res.writeStatus(STATUS_TEXTS[status] ?? String(status));
  for (const [name, value] of COMMON_HEADERS) res.writeHeader(name, value);
  if (contentType !== undefined) res.writeHeader('content-type', contentType);
  res.end(body, close);
}

/** uWebSockets.js aborts the process when a handler throws, so every handler is wrapped. */
export function guarded(handler: (res: HttpResponse, req: HttpRequest) => void): (res: HttpResponse, req: HttpRequest) => void {
  return (res, req) => {
    try {
      handler(res, req);
    } catch (error) {
      answerError(res, error);
    }
  };
}

function answerError(res: HttpResponse, error: unknown): void {
  const vllmError = error instanceof VllmError ? error : new VllmError(500, 'InternalServerError', String(error));
  res.cork(() => endWithBody(res, vllmError.status, 'application/json', vllmError.body()));
}

/** Collects the body, then answers; `onAborted` is called if the connection closes before the answer is complete. */
export function readBody(res: HttpResponse, answer: (body: Buffer) => void, onAborted?: () => void): void {
  const chunks: Buffer[] = [];
  let size = 0;
  let refused = false;
  res.onAborted(() => onAborted?.());
  res.onData((chunk, isLast) => {
    if (refused) return;
    size += chunk.byteLength;
    if (size > MAX_BODY_BYTES) {
      refused = true;
      res.cork(() => endWithBody(res, 413, undefined, '', true));
      return;
    }
    // The library takes the bytes back when this returns.
    chunks.push(Buffer.from(chunk.slice(0)));
    if (!isLast) return;
    const body = chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks);
    try {
      res.cork(() => answer(body));
    } catch (error) {
      answerError(res, error);
    }
  });
}
