import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { ConfigError, formatDefault } from '../../runtime/config-entry.ts';
import { clusterConfigEntry } from './cluster-configs.ts';
import { parseKafkaConfig } from './kafka-config.ts';
import type { KafkaConfigEntry } from './kafka-config.ts';
import { tableConfigTable } from './table-configs.ts';
import { topicConfigEntry, topicConfigNames, topicConfigOf, topicConfigTable } from './topic-configs.ts';

/** `LogConfig.configDef()` and the broker's synonyms of Kafka 4.3.1; null where topics have no cluster-wide default. */
interface KafkaFacts {
  readonly name: string;
  readonly type: string;
  readonly default: string;
  readonly valid: string;
  readonly clusterDefault: string | null;
}

const kafka = JSON.parse(
  readFileSync(path.join(import.meta.dirname, 'kafka-topic-configs.json'), 'utf8'),
) as readonly KafkaFacts[];

const typeNames: Partial<Record<KafkaConfigEntry['type'], string>> = {
  bool: 'BOOLEAN',
  double: 'DOUBLE',
  enum: 'STRING',
  int: 'INT',
  list: 'LIST',
  long: 'LONG',
  string: 'STRING',
};

test('every topic config of Kafka 4.3.1 is known, with Kafka’s type, default and cluster-wide default', () => {
  assert(kafka.length > 30);
  for (const facts of kafka) {
    const entry = topicConfigEntry(facts.name);
    assert(entry !== undefined, facts.name);
    assert.equal(typeNames[entry.type], facts.type, facts.name);
    assert.equal(formatDefault(entry), facts.default, facts.name);
    assert.equal(entry.clusterDefault ?? null, facts.clusterDefault, facts.name);
    if (facts.clusterDefault !== null) assert(clusterConfigEntry(facts.clusterDefault), facts.clusterDefault);
  }
  const own = topicConfigNames.filter((name) => !kafka.some((facts) => facts.name === name));
  assert.deepEqual(own, ['table.placement.policy', 'table.placement.zone', ...Object.keys(tableConfigTable)]);
});

test('ranges and choices are Kafka’s', () => {
  for (const { name, valid } of kafka) {
    const entry = topicConfigEntry(name);
    assert(entry !== undefined);
    const range = /^\[(-?\d+),\.\.\.,?(-?\d+)?\]/.exec(valid);
    if (range !== null) {
      assert(entry.type === 'int' || entry.type === 'long' || entry.type === 'double', name);
      // Kafka writes "1 to 9, or -1" for the level of gzip.
      if (name !== 'compression.gzip.level') assert.equal(String(entry.min), range[1], name);
      if (range[2] !== undefined) assert.equal(String(entry.max), range[2], name);
      continue;
    }
    const choices = /^\[([\w, ]+)\]$/.exec(valid)?.[1]?.split(', ');
    if (choices === undefined) continue;
    if (entry.type === 'enum') assert.deepEqual(entry.values.toSorted(), choices.toSorted(), name);
    else assert(entry.type === 'list' && choices.every((item) => entry.pattern?.regexp.test(item)), name);
  }
});

test('the default of every config is accepted, and what changes nothing says why', () => {
  for (const name of topicConfigNames) {
    const entry: KafkaConfigEntry = topicConfigTable[name];
    const standard = formatDefault(entry) ?? '';
    assert.equal(parseKafkaConfig(name, entry, standard).text, standard, name);
    assert.match(entry.description, /\.$/, name);
  }
});

test('values are read as Kafka reads them, and written one way', () => {
  const text = (name: string, given: string): string => {
    const entry = topicConfigEntry(name);
    assert(entry !== undefined);
    return parseKafkaConfig(name, entry, given).text;
  };
  assert.equal(text('retention.ms', ' +5 '), '5');
  assert.equal(text('retention.ms', '0005'), '5');
  assert.equal(text('flush.messages', '9223372036854775807'), '9223372036854775807');
  assert.equal(text('preallocate', ' TRUE '), 'true');
  assert.equal(text('cleanup.policy', ' delete, delete '), 'delete');
  assert.equal(text('cleanup.policy', ''), '');
  assert.equal(text('min.cleanable.dirty.ratio', '0.75'), '0.75');
  assert.equal(text('leader.replication.throttled.replicas', '1:2,0:1'), '0:1,1:2');
});

test('what is refused is named with its value and what it must be', () => {
  const cases: [name: string, value: string, message: RegExp][] = [
    [
      'retention.ms',
      '-2',
      /^retention\.ms is "-2" but must be a whole number from -1 to 9223372036854775807$/,
    ],
    ['retention.ms', '9223372036854775808', /must be a whole number/],
    ['retention.ms', '7d', /is "7d" but must be a whole number/],
    ['retention.ms', '', /is "" but/],
    ['preallocate', 'yes', /must be true or false/],
    ['compression.type', 'GZIP', /one of uncompressed, zstd/],
    ['compression.type', 'zstd', /compressing batches anew in the broker is not built/],
    ['cleanup.policy', 'compact,delete', /deleting old records of a compacted topic is not built/],
    ['cleanup.policy', 'delete,compact', /deleting old records of a compacted topic is not built/],
    ['cleanup.policy', 'keep', /each item delete or compact/],
    ['remote.storage.enable', 'true', /tiered storage is not built/],
    ['max.compaction.lag.ms', '60000', /compaction is not built/],
    ['min.insync.replicas', '0', /whole number from 1/],
    ['min.cleanable.dirty.ratio', '1.5', /a number from 0 to 1/],
    ['segment.bytes', '14', /from 1048576/],
    ['table.placement.policy', 'Everywhere', /one of HomeZone, Pinned, Spread/],
  ];
  for (const [name, value, message] of cases) {
    const entry = topicConfigEntry(name);
    assert(entry !== undefined);
    assert.throws(
      () => parseKafkaConfig(name, entry, value),
      (error) => {
        assert(error instanceof ConfigError);
        assert.match(error.message, message);
        assert(error.message.startsWith(`${name} is ${JSON.stringify(value)}`), error.message);
        return true;
      },
    );
  }
});

test('a topic has its own value, else the cluster’s, else Kafka’s default', () => {
  const cluster = { 'message.max.bytes': '2000', 'log.message.timestamp.type': 'LogAppendTime' };
  const own = { 'max.message.bytes': '3000', 'cleanup.policy': 'compact' };
  const config = topicConfigOf(own, cluster);
  assert.equal(config['max.message.bytes'], 3_000);
  assert.equal(config['message.timestamp.type'], 'LogAppendTime');
  assert.deepEqual(config['cleanup.policy'], ['compact']);
  assert.equal(config['message.timestamp.before.max.ms'], 2 ** 63);
  assert.equal(topicConfigOf({}, cluster)['max.message.bytes'], 2_000);
  assert.equal(topicConfigOf({}, {})['max.message.bytes'], 1_048_588);
  assert.equal(topicConfigOf(own, cluster), config);
  assert.throws(() => topicConfigOf({ 'retention.ms': 'soon' }, {}), ConfigError);
});
