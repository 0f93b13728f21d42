import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ConfigError, formatDefault, parseConfigValue } from './config-entry.ts';
import type { ConfigEntry } from './config-entry.ts';
import {
  configNames,
  configTable,
  environmentVariable,
  requireConfig,
  resolveConfig,
  takeConfigFlags,
} from './config.ts';

describe('configuration', () => {
  it('takes the flag, else the environment, else the default', () => {
    const env = { FIRN_LOG_LEVEL: 'warn', FIRN_STORE_S3_MAX_ATTEMPTS: '3' };
    const { flags } = takeConfigFlags(['--log.level=debug']);
    const config = resolveConfig({ env, flags });
    assert.equal(config['log.level'], 'debug');
    assert.equal(config['store.s3.max.attempts'], 3);
    assert.equal(config['store.s3.connect.timeout.ms'], 5_000);
    assert.equal(config['store.s3.endpoint'], undefined);
  });

  it('counts an empty environment variable as not set', () => {
    assert.equal(resolveConfig({ env: { FIRN_LOG_LEVEL: '' } })['log.level'], 'info');
  });

  it('names the variable, the value and what is right when a value is wrong', () => {
    assert.throws(
      () => resolveConfig({ env: { FIRN_LOG_LEVEL: 'loud' } }),
      new ConfigError('FIRN_LOG_LEVEL is "loud" but must be one of debug, info, warn, error'),
    );
    assert.throws(
      () => resolveConfig({ env: {}, flags: takeConfigFlags(['--store.s3.request.timeout.ms', '1h']).flags }),
      new ConfigError(
        '--store.s3.request.timeout.ms is "1h" but must be a duration from 1s to 10m, such as 250ms, 30s, 5m, 1h, 7d',
      ),
    );
  });

  it('says how to set what is needed and missing', () => {
    const config = resolveConfig({ env: {} });
    assert.throws(
      () => requireConfig(config, 'store.url'),
      new ConfigError(
        'store.url is not set: set FIRN_STORE_URL or pass --store.url, s3://BUCKET/PREFIX, file:DIRECTORY or memory:',
      ),
    );
    assert.equal(
      requireConfig(resolveConfig({ env: { FIRN_STORE_URL: 'memory:' } }), 'store.url'),
      'memory:',
    );
  });

  it('leaves the words that are no settings in their order', () => {
    const { flags, rest } = takeConfigFlags([
      'a',
      '--json',
      '--log.level',
      'warn',
      'b',
      '--',
      '--log.level',
      'x',
    ]);
    assert.deepEqual([...flags], [['log.level', 'warn']]);
    assert.deepEqual(rest, ['a', '--json', 'b', '--', '--log.level', 'x']);
    assert.throws(() => takeConfigFlags(['--log.level']), ConfigError);
  });

  it('has names in one style, with an environment variable each', () => {
    const variables = configNames().map(environmentVariable);
    assert.equal(new Set(variables).size, variables.length);
    for (const name of configNames()) {
      assert.match(name, /^[a-z0-9]+(\.[a-z0-9]+)*$/);
      const { type } = configTable[name];
      assert.equal(name.endsWith('.ms'), type === 'duration', name);
    }
  });

  it('has defaults that its own rules accept, and descriptions that are sentences', () => {
    for (const name of configNames()) {
      const entry: ConfigEntry = configTable[name];
      const text = formatDefault(entry);
      if (text !== undefined) assert.deepEqual(parseConfigValue(entry, text, name), entry.default, name);
      assert.match(entry.description, /^.+\.$/s, name);
    }
  });
});

describe('values of settings', () => {
  const description = 'For the test.';
  const duration: ConfigEntry = { type: 'duration', min: 0, max: 10 * 86_400_000, description };
  const bytes: ConfigEntry = { type: 'bytes', min: 1, max: 2 ** 40, description };
  const int: ConfigEntry = { type: 'int', min: -5, max: 5, description };
  const list: ConfigEntry = { type: 'list', description, pattern: { regexp: /^[a-z]+$/, meaning: 'a word' } };
  const bool: ConfigEntry = { type: 'bool', description };
  const long: ConfigEntry = { type: 'long', min: -1n, max: 2n ** 63n - 1n, description };
  const double: ConfigEntry = { type: 'double', min: 0, max: 1, description };

  const good: readonly (readonly [ConfigEntry, string, unknown])[] = [
    [duration, '250', 250],
    [duration, '250ms', 250],
    [duration, '30s', 30_000],
    [duration, '7d', 604_800_000],
    [bytes, '1', 1],
    [bytes, '8MiB', 8_388_608],
    [int, '-5', -5],
    [list, 'a, b,,c ', ['a', 'b', 'c']],
    [list, '', []],
    [bool, 'true', true],
    [bool, 'false', false],
    [long, '-1', -1],
    [long, '9007199254740993', 9_007_199_254_740_992],
    [long, '9223372036854775807', 2 ** 63],
    [double, '0.75', 0.75],
    [double, '1', 1],
    [double, '5e-1', 0.5],
  ];
  for (const [entry, text, value] of good) {
    it(`read ${JSON.stringify(text)} as a ${entry.type}`, () => {
      assert.deepEqual(parseConfigValue(entry, text, 'x'), value);
    });
  }

  const bad: readonly (readonly [ConfigEntry, string])[] = [
    [duration, '-1s'],
    [duration, '1.5s'],
    [duration, '3w'],
    [duration, '11d'],
    [duration, ''],
    [bytes, '0'],
    [bytes, '8MB'],
    [bytes, '8 MiB'],
    [int, '6'],
    [int, '0x5'],
    [int, ''],
    [list, 'a,B'],
    [bool, 'yes'],
    [long, '-2'],
    [long, '9223372036854775808'],
    [long, '1.5'],
    [long, ''],
    [double, '1.01'],
    [double, '.5'],
    [double, 'NaN'],
  ];
  for (const [entry, text] of bad) {
    it(`refuse ${JSON.stringify(text)} as a ${entry.type}`, () => {
      assert.throws(() => parseConfigValue(entry, text, 'x'), ConfigError);
    });
  }
});
