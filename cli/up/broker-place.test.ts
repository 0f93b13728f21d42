import assert from 'node:assert/strict';
import { test } from 'node:test';
import { placesOf, portsProblem, settingsOfAll } from './broker-place.ts';

test('brokers are spread over the zones, and no two have the same place', () => {
  const shown = (zones: readonly string[], brokers: number): string =>
    placesOf(zones, brokers)
      .map(({ zone, ordinal }) => `${zone}/${ordinal}`)
      .join(' ');
  assert.equal(shown(['a'], 1), 'a/0');
  assert.equal(shown(['a', 'b', 'c'], 4), 'a/0 b/0 c/0 a/1');
  assert.equal(shown(['a', 'b', 'c'], 2), 'a/0 b/0');
  assert.equal(shown(['a', 'a'], 3), 'a/0 a/1 a/2');
});

const port = (number: number): { host: string; port: number } => ({ host: '127.0.0.1', port: number });
const first = {
  url: 'file:x',
  listeners: [
    { name: 'a', ...port(9092) },
    { name: 'b', ...port(0) },
  ],
  admin: port(9644),
  api: port(8081),
  internal: port(0),
  logLevel: 'warn',
  drainTimeoutMs: 1,
  options: {},
} as const;
const places = placesOf(['a', 'b', 'c'], 4);

test('each has ports of its own, unless any free one is asked for, and all know the order of the zones', () => {
  const [, , , last] = settingsOfAll(first, places);
  assert.deepEqual(
    last?.listeners.map((listener) => listener.port),
    [9095, 0],
  );
  const { admin, api, internal, zone, ordinal, zones } = last;
  assert.deepEqual(
    [admin.port, api.port, internal.port, zone, ordinal, zones],
    [9647, 8084, 0, 'a', 1, ['a', 'b', 'c']],
  );
});

test('ports that meet, or that there are not, are named', () => {
  const problem = (over: Partial<typeof first> | object): string =>
    portsProblem(settingsOfAll({ ...first, ...over }, places)) ?? '';
  assert.equal(problem({}), '');
  assert.match(
    problem({ listeners: [first.listeners[0], { name: 'b', ...port(9094) }] }),
    /^port 9094 would be listener b of broker 1 of 4 and listener a of broker 3 of 4; .* leave room for 4$/,
  );
  assert.match(
    problem({ admin: port(9093) }),
    /^port 9093 would be the admin port of broker 1 .* listener a/,
  );
  assert.match(
    problem({ api: port(65_534) }),
    /^the api port of broker 3 of 4 would be 65536, and there are 65535 ports only/,
  );
  // The system says so of one.
  assert.equal(portsProblem(settingsOfAll({ ...first, api: port(9092) }, placesOf(['a'], 1))), undefined);
});
