import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { GroupError } from '../../errors.ts';
import { TopicRegex } from './topic-regex.ts';

function matches(regex: string, name: string): boolean {
  return new TopicRegex(regex).matches(name);
}

test('whole names match, not parts of them', () => {
  assert(matches('orders', 'orders'));
  assert(!matches('orders', 'orders-eu'));
  assert(!matches('rders', 'orders'));
  assert(matches('orders.*', 'orders-eu'));
  assert(matches('^orders-(eu|us)$', 'orders-us'));
  assert(matches('', ''));
  assert(!matches('', 'a'));
  assert(!matches('a^b', 'ab'));
  assert(matches('(?:^a)|b$', 'a'));
});

test('the syntax of RE2', () => {
  assert(matches('(?i)Orders', 'oRDERS'));
  assert(matches('(?i:o)rders', 'Orders'));
  assert(!matches('(?i:o)rders', 'ORDERS'));
  assert(matches('[[:alpha:]]+-\\d{2,3}', 'abc-123'));
  assert(!matches('[[:alpha:]]+-\\d{2,3}', 'abc-1'));
  assert(matches('[^a-c]x', 'dx'));
  assert(matches('[]a]', 'a'));
  assert(matches('[a\\-z]+', 'a-z'));
  assert(matches('\\Qa.b\\E+', 'a.bbb'));
  assert(matches('\\Qa.b\\E', 'a.b'));
  assert(!matches('\\Qa.b\\E', 'axb'));
  assert(matches('(?P<name>a)(?<other>b)', 'ab'));
  assert(matches('\\x41\\x{42}', 'AB'));
  assert(matches('a{0}b', 'b'));
  assert(matches('(a*)*b', 'aaab'));
  assert(matches('x{,3}', 'x{,3}'), 'braces that are no repetition stand for themselves');
});

test('what RE2 has not, or what would be too large, is refused with a sentence', () => {
  for (const regex of [
    '(?=a)b',
    '(a)\\1',
    'a**',
    '*a',
    '(a',
    'a)',
    '[a',
    '\\',
    'a{2,1}',
    'a{1001}',
    '\\pL',
    '\\b',
    '[z-a]',
    '(?<!a)',
    '((a{1000}){1000}){9}',
    'x'.repeat(5_000),
    '('.repeat(500),
  ]) {
    assert.throws(
      () => new TopicRegex(regex),
      (error) =>
        error instanceof GroupError &&
        error.code === 'INVALID_REGULAR_EXPRESSION' &&
        error.message.length > 40,
      regex.slice(0, 50),
    );
  }
});

test('an expression that takes JavaScript for ever takes no time', () => {
  const regex = new TopicRegex('(a|a)*(a|aa)*(a*)*(a{1,30}){1,30}b');
  assert(!regex.matches('a'.repeat(249)));
  assert(regex.matches(`${'a'.repeat(200)}b`));
});

const atom = fc.constantFrom(
  'a',
  'b',
  '.',
  '[ab]',
  '[^a]',
  '\\d',
  'a?',
  'b*',
  '(a|b)',
  '(ab|a)',
  'a{1,2}',
  '(?:ab)+',
  '^',
  '$',
  '(a|b$)',
  '(^a|b)*',
  '1{2}',
);
const regexes = fc
  .array(atom, { maxLength: 6 })
  .chain((parts) => fc.constantFrom(parts.join(''), `${parts.join('')}|ab`, `(${parts.join('')})*`));

test('it agrees with JavaScript', () => {
  fc.assert(
    fc.property(regexes, fc.stringMatching(/^[ab1]{0,8}$/), (regex, name) => {
      assert.equal(matches(regex, name), new RegExp(`^(?:${regex})$`, 'v').test(name), regex);
    }),
    { numRuns: 3_000 },
  );
});
