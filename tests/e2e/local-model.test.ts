import t from 'tap'
import { connectClient, dataFolder, startStandalone } from './standalone-process.ts'

t.setTimeout(180_000)

t.test('without any configuration a small model of our own answers', async (t) => {
  const running = await startStandalone(t, { CHATTERBOT_DATA_DIR: dataFolder(t) })
  t.match(running.output(), /Starting the model: done/)
  const client = connectClient(t, running.webSocketUrl)
  const conversation = await client.createConversation()
  await conversation.opened
  const turn = conversation.send('What is the capital of France? Answer in one word.', { params: { max_tokens: 12, temperature: 0 } })
  let streamed = ''
  for await (const piece of turn) streamed += piece
  const reply = await turn.finished
  t.ok(streamed.length > 0, streamed)
  t.equal(reply.text, streamed)
  t.match(reply.reason, /^(stop|length)$/)
  t.match(reply.details?.usage, { prompt_tokens: Number, completion_tokens: Number })

  const long = conversation.send('Tell me a very long story.', { params: { max_tokens: 1000 } })
  for await (const piece of long) if (piece !== '') break
  await long.stop()
  const stopped = await long.finished
  t.equal(stopped.reason, 'stopped')
  t.ok(stopped.text.length > 0)
  t.equal((await running.stop()).code, 0)
})
