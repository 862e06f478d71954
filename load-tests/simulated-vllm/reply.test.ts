import fc from 'fast-check';
import t from 'tap';

import { planReply, renderChat } from './chat-template.ts';
import { expectedText, MAX_REPLY_TOKENS, readDirectives, replyTokenId, tagOf, tagText, verifyTranscript } from './reply.ts';
import { detokenize, tokenize, tokenString } from './tokenizer.ts';
import { isInVocabulary, MESSAGE_END, VOCABULARY_SIZE } from './vocabulary.ts';

/** Text of all planes, mixed with what the tokenizer treats specially. */
const anyText = fc
  .array(fc.oneof(fc.string({ unit: 'binary' }), fc.string(), fc.constantFrom('<|im_end|>', ' k17', ' b65536', '[3fa9', '01c2]', ' the cat', '\ufeff', ' d007')))
  .map((parts) => parts.join(''));
const wellFormed = anyText.map((text) => text.replaceAll(/\p{Surrogate}/gu, '?'));
const form = fc.record({ multibyte: fc.boolean() });

t.test('any text survives being tokenized and put together again', async (t) => {
  fc.assert(fc.property(wellFormed, fc.boolean(), (text, special) => {
    const ids = tokenize(text, { special });
    return ids.every(isInVocabulary) && detokenize(ids) === text;
  }));
  t.ok(VOCABULARY_SIZE < 999_999, 'the id that was recorded as out of vocabulary is');
});

t.test('every id of the vocabulary has a string, and those of whole characters a text that leads back to the id', async (t) => {
  fc.assert(fc.property(fc.integer({ min: 0, max: VOCABULARY_SIZE - 1 }), (id) => {
    const text = detokenize([id]);
    const back = tokenize(text, { special: true });
    return tokenString(id) !== '' && (text === '\ufffd' || detokenize(back) === text);
  }));
  t.same(tokenize('Hello world', { special: false }).map(tokenString).join(''), 'HelloĠworld');
});

t.test('the ids of a reply are those of its text', async () => {
  fc.assert(fc.property(wellFormed, form, fc.integer({ min: 0, max: 300 }), (message, form, tokens) => {
    const multibyte = form.multibyte || readDirectives(message).multibyte;
    const ids = Array.from({ length: tokens }, (_, position) => replyTokenId(tagOf(message), position, { multibyte }));
    const text = expectedText(message, tokens, form);
    // The text lacks the bytes of a character that isn't complete yet; the ids have them already.
    const spoken = tokenize(text, { special: false });
    return detokenize(ids).replace(/\ufffd+$/, '') === text && spoken.every((id, position) => id === ids[position]);
  }));
});

t.test('a reply is right for its own prompt and length alone', async () => {
  fc.assert(fc.property(wellFormed, wellFormed, form, fc.integer({ min: 1, max: 200 }), (message, other, form, tokens) => {
    fc.pre(tagOf(message) !== tagOf(other));
    const text = expectedText(message, tokens, form);
    const plain = verifyTranscript(text, message, form);
    return plain.ok && verifyTranscript(text, message, { ...form, tokens }).ok
      && !verifyTranscript(text, other, form).ok
      && !verifyTranscript(text, message, { ...form, tokens: tokens + 4 }).ok;
  }));
});

t.test('a missing, doubled, swapped or cut token is found, wherever it is', async () => {
  const edit = fc.constantFrom('drop', 'double', 'swap', 'cut' as const);
  fc.assert(fc.property(fc.string(), fc.integer({ min: 3, max: 120 }), fc.nat(), edit, (message, tokens, seed, edit) => {
    const pieces = Array.from({ length: tokens }, (_, k) => expectedText(message, k + 1).slice(expectedText(message, k).length));
    // The last token may be missing: that is a shorter reply, not a wrong one.
    const at = seed % (tokens - 1);
    if (edit === 'drop') pieces.splice(at, 1);
    if (edit === 'double') pieces.splice(at, 0, pieces[at] ?? '');
    if (edit === 'swap') pieces.splice(at, 2, pieces[at + 1] ?? '', pieces[at] ?? '');
    if (edit === 'cut') pieces[at] = (pieces[at] ?? '').slice(0, -1);
    return !verifyTranscript(pieces.join(''), message).ok;
  }));
});

t.test('text of another prompt is found in the middle of a reply, though its numbers go on', async (t) => {
  // One foreign word in eight has the right letter by chance, so a run of them is cut in.
  const mixed = expectedText('mine', 20) + expectedText('theirs', 40).slice(expectedText('theirs', 20).length);
  t.match(verifyTranscript(mixed, 'mine'), { ok: false, problem: 'foreign' });
});

t.test('the verdict says what is wrong', async (t) => {
  const message = 'What is wrong?';
  const upTo = (tokens: number): string => expectedText(message, tokens);
  const from = (tokens: number): string => upTo(30).slice(upTo(tokens).length);
  const verdict = (text: string, tokens?: number): unknown => {
    const found = verifyTranscript(text, message, tokens === undefined ? {} : { tokens });
    return found.ok ? found.tokens : [found.tokens, found.problem];
  };
  t.equal(verdict(''), 0);
  t.equal(verdict(upTo(30)), 30);
  t.equal(verdict(upTo(30), 30), 30);
  t.same(verdict(upTo(10) + from(12)), [10, 'gap']);
  t.same(verdict(upTo(10) + from(9)), [10, 'repeat']);
  t.same(verdict(upTo(10) + upTo(10)), [10, 'repeat']);
  t.same(verdict(upTo(11).slice(0, -1)), [10, 'truncated']);
  t.same(verdict(upTo(10), 11), [10, 'too_short']);
  t.same(verdict(upTo(12), 11), [12, 'too_long']);
  t.same(verdict(`${upTo(10)} and so on`), [10, 'garbled']);
  t.same(verdict(expectedText('Another prompt', 5)), [0, 'foreign']);
  t.same(verdict('Paris.'), [0, 'foreign']);
});

t.test('tags ignore white space around a message, which some chat templates drop', async (t) => {
  t.equal(tagOf(' hi \n'), tagOf('hi'));
  t.not(tagOf('hi'), tagOf('ho'));
  t.equal(expectedText('hi', 2), `[${tagText(tagOf('hi'))}]`);
});

t.test('directives are read from the message', async (t) => {
  t.same(readDirectives('hello [[tokens=200]] you'), { tokens: 200, multibyte: false });
  t.same(readDirectives('[[multibyte]]'), { tokens: undefined, multibyte: true });
  t.same(readDirectives('[[tokens=99999]]').tokens, MAX_REPLY_TOKENS);
});

t.test('a rendered chat tells its last user message and where the reply stands', async () => {
  const role = fc.constantFrom('user', 'assistant', 'system', 'robot');
  const messages = fc.array(fc.record({ role, content: wellFormed }), { maxLength: 5 });
  const defaults = { replyTokens: 50, multibyte: false };
  fc.assert(fc.property(messages, wellFormed, fc.nat({ max: 60 }), fc.boolean(), (history, message, resumedAt, ended) => {
    const options = { addGenerationPrompt: true, continueFinalMessage: false };
    const prompt = renderChat([...history, { role: 'user', content: message }], options);
    const form = { multibyte: readDirectives(message).multibyte };
    const received = Array.from({ length: resumedAt }, (_, position) => replyTokenId(tagOf(message), position, form));
    const plan = planReply([...prompt, ...received, ...(ended ? [MESSAGE_END] : [])], defaults);
    return plan.tag === tagOf(message) && plan.boundary === prompt.length && plan.resumedAt === resumedAt && plan.resumedIntact && plan.ended === ended
      && plan.length === (readDirectives(message).tokens ?? 50);
  }));
});

t.test('a resumption with ids that are not the beginning of the reply is told apart', async (t) => {
  const prompt = renderChat([{ role: 'user', content: 'hi' }], { addGenerationPrompt: true, continueFinalMessage: false });
  const ids = Array.from({ length: 10 }, (_, position) => replyTokenId(tagOf('hi'), position, { multibyte: false }));
  const plan = (received: number[]): unknown => {
    const { resumedAt, resumedIntact } = planReply([...prompt, ...received], { replyTokens: 50, multibyte: false });
    return [resumedAt, resumedIntact];
  };
  t.same(plan(ids), [10, true]);
  t.same(plan(ids.slice(1)), [9, false]);
  t.same(plan([...ids, ...ids.slice(-1)]), [11, false]);
});
