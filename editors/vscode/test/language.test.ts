import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

const language = JSON.parse(readFileSync('language-configuration.json', 'utf8'));
const pattern = (rule: { pattern: string }) => new RegExp(rule.pattern);

test('what opens a bracket indents the next line', () => {
  const indents = pattern(language.indentationRules.increaseIndentPattern);
  for (const line of ['data a {', '  stage x { tasks: [', 'task t: tag(a.b) = f("{", b) {', 'train { // "', 'let x = concat(']) {
    assert.match(line, indents);
  }
  for (const line of ['train { epochs: 3 }', '// {', 'const s = "{"', 'let x = f(a)', 'let x = f(a) // (']) {
    assert.doesNotMatch(line, indents);
  }
});

test('what closes a bracket stands further left', () => {
  const outdents = pattern(language.indentationRules.decreaseIndentPattern);
  assert.match('  }', outdents);
  assert.doesNotMatch('  epochs: 3 }', outdents);
});

test('a word is a name or a number', () => {
  const words = 'let h1 = x.probs(10%, 1e-3, 1_000)'.match(new RegExp(language.wordPattern.pattern, 'g'));
  assert.deepEqual(words, ['let', 'h1', 'x', 'probs', '10%', '1e-3', '1_000']);
});

test('Enter goes on with a comment and indents after a header', () => {
  const rule = (before: string, after: string) =>
    language.onEnterRules.find(
      (r: { beforeText: { pattern: string }; afterText?: { pattern: string } }) =>
        pattern(r.beforeText).test(before) && (!r.afterText || pattern(r.afterText).test(after)),
    )?.action;
  assert.equal(rule('/// What it is.', '').appendText, '/// ');
  assert.equal(rule('// one ', 'two').appendText, '// ');
  assert.equal(rule('// one', ''), undefined);
  assert.equal(rule('////', ''), undefined);
  assert.equal(rule('task t: tag(a.b)', '').indent, 'indent');
  assert.equal(rule('task t: tag(a.b) = h', ''), undefined);
});
