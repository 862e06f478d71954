import type { ServerResponse } from 'node:http'
import { faultBody, type HttpFault } from './faults.ts'

export function sendJson(response: ServerResponse, status: number, body: object): void {
  sendText(response, status, 'application/json', JSON.stringify(body))
}

export function sendFault(response: ServerResponse, fault: HttpFault): void {
  sendText(response, fault.status, 'application/json', faultBody(fault))
}

export function sendText(response: ServerResponse, status: number, contentType: string, body: string): void {
  response.writeHead(status, { 'content-type': contentType, 'content-length': Buffer.byteLength(body) })
  response.end(body)
}
