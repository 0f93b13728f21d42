import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { ApiCredentials, ApiCredentialsError } from './api-credentials.ts';
import { hashPassword, printPasswordHash } from './password-hash.ts';

const token = 'one-token-of-many-characters-0123456789';
const second = 'another-token-of-many-characters-0123456';

function tokenLine(name: string, secret: string): string {
  return `${name}:sha256:${createHash('sha256').update(secret).digest('hex')}`;
}

/** As cheap as a hash may be. */
async function userLine(name: string, password: string): Promise<string> {
  const hash = await hashPassword(password, Buffer.from(`salt of ${name}`), { ln: 10, r: 8, p: 1 });
  return `${name}:${printPasswordHash(hash)}`;
}

function basic(name: string, password: string): string {
  return `Basic ${Buffer.from(`${name}:${password}`).toString('base64')}`;
}

async function example(): Promise<ApiCredentials> {
  const lines = [
    '# who may',
    '',
    tokenLine('ci', token),
    tokenLine('ci', second),
    await userLine('alice', 'pass:word é'),
    await userLine('bob', 'secret'),
  ];
  return ApiCredentials.parse(`${lines.join('\r\n')}\n`, 'auth');
}

test('tokens are taken as bearer tokens, and as the password of their name', async () => {
  const credentials = await example();
  assert.deepEqual(credentials.counts, { users: 2, tokens: 2 });
  for (const header of [`Bearer ${token}`, `bearer  ${second} `, basic('ci', token), basic('ci', second)])
    assert.deepEqual(await credentials.whoIs(header), { kind: 'known', name: 'ci' }, header);
  assert.equal(credentials.nameOfToken(token), 'ci');
  assert.equal(credentials.nameOfToken(token, 'ci'), 'ci');
  assert.equal(credentials.nameOfToken(token, 'alice'), undefined);
});

test('passwords are taken with Basic, the first time and later, with colons and what is no ASCII', async () => {
  const credentials = await example();
  for (let time = 0; time < 2; time++) {
    assert.deepEqual(await credentials.whoIs(basic('alice', 'pass:word é')), {
      kind: 'known',
      name: 'alice',
    });
    assert.equal((await credentials.whoIs(basic('alice', 'pass'))).kind, 'unknown');
  }
});

test('everything else is unknown, whatever was wrong', async () => {
  const credentials = await example();
  const needed = 'this port needs a token (Bearer) or a user and password (Basic)';
  assert.deepEqual(await credentials.whoIs(undefined), { kind: 'unknown', why: needed });
  const why = 'the user name or the password is wrong';
  for (const header of [
    basic('alice', 'secret'),
    basic('alice', ''),
    basic('nobody', 'secret'),
    basic('', 'secret'),
    basic('alice', token),
    basic('bob', 'x'.repeat(2_000)),
    `Basic ${Buffer.from('alice').toString('base64')}`,
    'Basic %%%',
  ])
    assert.deepEqual(await credentials.whoIs(header), { kind: 'unknown', why }, header);
  for (const header of ['Bearer x', `Bearer ${token.slice(1)}`, `Bearer ${'x'.repeat(2_000)}`])
    assert.deepEqual(await credentials.whoIs(header), { kind: 'unknown', why: 'the token is wrong' });
  for (const header of ['', token, `Bearer ${token} x`, `Digest ${token}`, 'Bearer'])
    assert.match((await credentials.whoIs(header)).kind, /unknown/, header);
});

test('a token that is short is none, though its hash is there: it could be guessed from it', async () => {
  const credentials = ApiCredentials.parse(tokenLine('ci', 'secret'), 'auth');
  assert.equal((await credentials.whoIs('Bearer secret')).kind, 'unknown');
});

test('wrong passwords are checked one at a time, and not many wait; who was known before does not', async () => {
  const credentials = await example();
  await credentials.whoIs(basic('alice', 'pass:word é'));
  const wrong = Array.from({ length: 100 }, (_, index) => credentials.whoIs(basic('bob', `guess ${index}`)));
  // Before any of them is through.
  const known = Promise.all([
    credentials.whoIs(basic('alice', 'pass:word é')),
    credentials.whoIs(`Bearer ${token}`),
  ]);
  const first = await Promise.race([
    known.then(() => 'known'),
    ...wrong.slice(0, 32).map((one) => one.then(() => 'wrong')),
  ]);
  assert.equal(first, 'known');
  const kinds = (await Promise.all(wrong)).map(({ kind }) => kind);
  assert.deepEqual(
    [kinds.filter((kind) => kind === 'unknown').length, kinds.filter((kind) => kind === 'busy').length],
    [32, 68],
  );
  // And then it goes on.
  assert.deepEqual(await credentials.whoIs(basic('bob', 'secret')), { kind: 'known', name: 'bob' });
});

test('a file that cannot be taken is refused with its line, and without what is in it', async () => {
  const user = await userLine('alice', 'secret');
  const cases: readonly (readonly [text: string, why: RegExp])[] = [
    ['', /^auth has no entry: nobody could use the api port$/],
    ['# nothing\n\n', /^auth has no entry/],
    ['alice', /^auth, line 1: a line is NAME:HASH/],
    [':sha256:00', /^auth, line 1: a line is NAME:HASH/],
    ['a b:sha256:00', /^auth, line 1: a line is NAME:HASH/],
    ['\nci:sha256:00', /^auth, line 2: after sha256: come 64 hexadecimal digits/],
    ['alice:hunter2', /^auth, line 1: after the name comes sha256:HEX for a token, or the scrypt hash/],
    ['alice:$2y$05$abc', /^auth, line 1: .*does not have the form \$scrypt/],
    [`${user}\n${user}`, /^auth, line 2: user alice has a line already$/],
    [`${tokenLine('ci', token)}\n`.repeat(1_001), /^auth, line 1001: there are more than 1000 entries$/],
  ];
  for (const [text, why] of cases)
    assert.throws(
      () => ApiCredentials.parse(text, 'auth'),
      (error: unknown) => {
        assert.ok(error instanceof ApiCredentialsError);
        assert.match(error.message, why);
        assert.ok(!error.message.includes('hunter2'));
        return true;
      },
    );
});
