import assert from 'node:assert/strict';
import { test } from 'node:test';
import { tokenEndpoint } from './token-endpoint.ts';

const tokens = new Map([['the-token', 'ci']]);

function ask(
  form: Readonly<Record<string, string>>,
  { method = 'POST', authorization }: { readonly method?: string; readonly authorization?: string } = {},
): { readonly status: number; readonly json: unknown } {
  const request = {
    method,
    path: '/v1/oauth/tokens',
    query: new URLSearchParams(),
    headers: { 'content-type': 'application/x-www-form-urlencoded', authorization },
    body: Buffer.from(new URLSearchParams(form).toString()),
    signal: new AbortController().signal,
  };
  const { status, body } = tokenEndpoint(request, (token, name) => {
    const found = tokens.get(token);
    return name === undefined || name === found ? found : undefined;
  });
  return { status, json: JSON.parse(String(body)) };
}

const granted = {
  status: 200,
  json: {
    access_token: 'the-token',
    token_type: 'bearer',
    issued_token_type: 'urn:ietf:params:oauth:token-type:access_token',
  },
};
const credentials = { grant_type: 'client_credentials', scope: 'catalog' };
const exchange = { grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange' };

test('a credential, and a token that is to be exchanged, become the token', () => {
  assert.deepEqual(ask({ ...credentials, client_id: 'ci', client_secret: 'the-token' }), granted);
  // `credential` without a colon.
  assert.deepEqual(ask({ ...credentials, client_secret: 'the-token' }), granted);
  assert.deepEqual(ask({ ...credentials, client_id: '', client_secret: 'the-token' }), granted);
  const authorization = `Basic ${Buffer.from('ci:the-token').toString('base64')}`;
  assert.deepEqual(ask(credentials, { authorization }), granted);
  assert.deepEqual(ask({ ...exchange, subject_token: 'the-token' }), granted);
});

test("what is wrong is said as OAuth's errors", () => {
  const outcome = (...args: Parameters<typeof ask>): string => {
    const { status, json } = ask(...args);
    return `${status} ${(json as { error: string }).error}`;
  };
  assert.equal(
    outcome({ ...credentials, client_id: 'other', client_secret: 'the-token' }),
    '401 invalid_client',
  );
  assert.equal(outcome({ ...credentials, client_secret: 'x' }), '401 invalid_client');
  assert.equal(outcome(credentials), '400 invalid_request');
  assert.equal(outcome(credentials, { authorization: 'Bearer x' }), '400 invalid_request');
  assert.equal(outcome({ ...exchange, subject_token: 'x' }), '401 invalid_client');
  assert.equal(outcome(exchange), '401 invalid_client');
  assert.equal(outcome({ grant_type: 'password' }), '400 unsupported_grant_type');
  assert.equal(outcome({}), '400 unsupported_grant_type');
  assert.equal(ask({}, { method: 'GET' }).status, 405);
});
