import { randomBytes } from 'node:crypto'

/** The body of `GET /v1/models`. `loadedAt` is in seconds since the epoch. */
export function modelList(name: string, maxModelLen: number, loadedAt: number): object {
  const permission = {
    id: `modelperm-${randomBytes(8).toString('hex')}`,
    object: 'model_permission',
    created: loadedAt,
    allow_create_engine: false,
    allow_sampling: true,
    allow_logprobs: false,
    allow_search_indices: false,
    allow_view: true,
    allow_fine_tuning: false,
    organization: '*',
    group: null,
    is_blocking: false,
  }
  return {
    object: 'list',
    data: [{ id: name, object: 'model', created: loadedAt, owned_by: 'chatterbot', root: name, parent: null, max_model_len: maxModelLen, permission: [permission] }],
  }
}
