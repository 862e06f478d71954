import fc from 'fast-check'
import t from 'tap'
import { limits } from '../../protocol/websocket/limits.ts'
import { titleFrom } from './title.ts'

t.test('a title is the first line that says something, without marks', async (t) => {
  t.equal(titleFrom('Why is the sky blue?'), 'Why is the sky blue?')
  t.equal(titleFrom('\n\n  ## Plans\tfor  May\nmore'), 'Plans for May')
  t.equal(titleFrom('- buy milk'), 'buy milk')
  t.equal(titleFrom('```ts\nconst a = 1'), 'const a = 1')
  t.equal(titleFrom(' \n\t'), 'New conversation')
})

t.test('a long line is cut between words', async (t) => {
  t.equal(titleFrom('Please explain to me in detail how a compiler turns a program into instructions'), 'Please explain to me in detail how a compiler turns a…')
  t.equal([...titleFrom('😀'.repeat(100))].length, 60)
})

t.test('whatever the text, its title is one line that the protocol takes', async () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 300 }), (text) => {
      const title = titleFrom(text.toWellFormed())
      return title.length > 0 && title.length <= limits.titleLength && !/[\p{Cc}]/u.test(title) && title.isWellFormed()
    }),
  )
})
