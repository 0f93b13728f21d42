import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hashPassword, isPassword, parsePasswordHash, printPasswordHash } from './password-hash.ts';

const salt = Buffer.from('SodiumChloride');
/** RFC 7914, section 12, the first 32 bytes. */
const hash = Buffer.from('7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2', 'hex');
const text = '$scrypt$ln=14,r=8,p=1$U29kaXVtQ2hsb3JpZGU$cCO9yzr9c0hGHAbNgf046/2o+7qQT44+qbVD9lRdofI';

test("scrypt is RFC 7914's, written as PHC strings are", async () => {
  assert.deepEqual(await hashPassword('pleaseletmein', salt), { cost: { ln: 14, r: 8, p: 1 }, salt, hash });
  assert.equal(printPasswordHash({ cost: { ln: 14, r: 8, p: 1 }, salt, hash }), text);
  assert.deepEqual(parsePasswordHash(text), { cost: { ln: 14, r: 8, p: 1 }, salt, hash });
  assert.equal(await isPassword('pleaseletmein', parsePasswordHash(text)), true);
  assert.equal(await isPassword('pleaseletmeout', parsePasswordHash(text)), false);
});

test('what is no hash, or costs more than a check may, is refused without being repeated', () => {
  const refused: readonly (readonly [text: string, why: RegExp])[] = [
    ['', /does not have the form/],
    ['$2y$10$abcdefghijklmnopqrstuv', /does not have the form/],
    [text.replace('ln=14', 'ln=99'), /ln=99,r=8,p=1 is not between/],
    [text.replace('ln=14', 'ln=17'), /not between/],
    [text.replace('ln=14', 'ln=9'), /not between/],
    [text.replace('r=8', 'r=0'), /not between/],
    [text.replace('p=1', 'p=5'), /not between/],
    [text.replace('U29kaXVtQ2hsb3JpZGU', 'U29k'), /the salt must have 8 to 64 bytes .*, not 3 and 32/],
    [text.slice(0, -4), /the hash 32, not 14 and 2\d/],
  ];
  for (const [wrong, why] of refused)
    assert.throws(
      () => parsePasswordHash(wrong),
      (error: unknown) => {
        assert.ok(error instanceof SyntaxError, wrong);
        assert.match(error.message, why);
        assert.ok(!error.message.includes('cCO9yzr9'));
        return true;
      },
    );
  // The most that is taken: 64 MiB, less what each pass needs besides.
  assert.equal(parsePasswordHash(text.replace('ln=14,r=8', 'ln=15,r=15')).cost.r, 15);
});
