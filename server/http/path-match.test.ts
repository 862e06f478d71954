import t from 'tap'
import { PathTable } from './path-match.ts'

t.test('an address is the path whose segments it has, and literals go before parameters', async (t) => {
  const table = new PathTable<string>()
  for (const path of ['/chat', '/conversations', '/conversations/{id}', '/conversations/{id}/messages', '/conversations/mine', '/v1/models/{model}']) table.at(path, () => path)
  t.same(table.match('/chat'), { value: '/chat', params: {} })
  t.same(table.match('/conversations/42/messages'), { value: '/conversations/{id}/messages', params: { id: '42' } })
  t.same(table.match('/conversations/mine'), { value: '/conversations/mine', params: {} })
  t.same(table.match('/v1/models/a%2Fb'), { value: '/v1/models/{model}', params: { model: 'a%2Fb' } })
  for (const path of ['/', '/chat/', '//chat', '/Chat', '/conversations/', '/conversations/1/', '/conversations/1/other', '/v1', '/__proto__', '']) t.equal(table.match(path), null, path)
})

t.test('a parameter has one name wherever it stands', async (t) => {
  const table = new PathTable<string>()
  table.at('/a/{x}', () => '')
  t.throws(() => table.at('/a/{y}/b', () => ''), /called x/)
})
