import assert from 'node:assert/strict';
import { test } from 'node:test';
import { placesOf, settingsAt } from './broker-place.ts';

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

test('each has ports of its own, unless any free one is asked for', () => {
  const port = (number: number): { host: string; port: number } => ({ host: '127.0.0.1', port: number });
  const settings = settingsAt(
    {
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
    },
    { zone: 'c', ordinal: 1 },
    2,
  );
  assert.deepEqual(
    settings.listeners.map((listener) => listener.port),
    [9094, 0],
  );
  assert.deepEqual(
    [settings.admin.port, settings.api.port, settings.internal.port, settings.zone, settings.ordinal],
    [9646, 8083, 0, 'c', 1],
  );
});
