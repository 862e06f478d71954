/**
 * What clients speak, one question of a connection at a time:
 *
 * | dialect | question | token, one each or several in one text | end |
 * |---|---|---|---|
 * | `websocket` | at `/`, a text frame `{"id":1,"message":"…"}` | `{"id":1,"token":"…"}` | `{"id":1,"done":true}` |
 * | `socket.io` | event `message` with `{"id":1,"message":"…"}`, websocket transport only | event `token` with `{"id":1,"token":"…"}` | event `done` with `{"id":1}` |
 * | `sse` | `POST /chat` with `{"message":"…"}` | `data: {"token":"…"}` and an empty line | `data: [DONE]` |
 * | `openai` | `POST /v1/chat/completions`, `stream: true` | as the engine sends it | `data: [DONE]` |
 * | `centrifugo` | connect and subscribe to a channel of the client's choice at `/connection/websocket`, then `{"id":3,"rpc":{"method":"chat","data":{"channel":"…","message":"…"}}}` | publication `{"token":"…"}` on the channel | publication `{"done":true}` |
 * | `chatterbot` | ChatterBot's own, docs/protocol.md | | |
 */
export type Dialect = 'websocket' | 'socket.io' | 'sse' | 'openai' | 'centrifugo' | 'chatterbot'
