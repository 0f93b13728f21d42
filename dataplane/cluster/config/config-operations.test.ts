import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ChangeRefused } from '../change-refused.ts';
import { checkedConfigs } from './config-check.ts';
import { configChangeOf, replacingConfigs } from './config-operations.ts';
import type { ConfigOperation } from './config-operations.ts';

function assertRefused(result: unknown, message: RegExp): void {
  assert(result instanceof ChangeRefused, 'it was not refused');
  assert.equal(result.reason, 'INVALID_CONFIG');
  assert.match(result.message, message);
}

test('values are set as they are stored, and removed whether they were set or not', () => {
  const operations: ConfigOperation[] = [
    { name: 'retention.ms', kind: 'set', value: ' 007' },
    { name: 'segment.bytes', kind: 'delete' },
    { name: 'no.such.config', kind: 'delete' },
  ];
  assert.deepEqual(configChangeOf('topic', operations, {}, {}), {
    set: { 'retention.ms': '7' },
    remove: ['segment.bytes', 'no.such.config'],
  });
});

test('lists grow and shrink from what holds, which may be a default', () => {
  const append = (value: string): ConfigOperation[] => [{ name: 'cleanup.policy', kind: 'append', value }];
  const subtract = (value: string): ConfigOperation[] => [
    { name: 'cleanup.policy', kind: 'subtract', value },
  ];
  const replicas = 'leader.replication.throttled.replicas';
  assert.deepEqual(configChangeOf('topic', append('delete'), {}, {}), {
    set: { 'cleanup.policy': 'delete' },
    remove: [],
  });
  assert.deepEqual(configChangeOf('topic', subtract('delete'), {}, {}), {
    set: { 'cleanup.policy': '' },
    remove: [],
  });
  assert.deepEqual(
    configChangeOf('topic', append('compact'), { 'cleanup.policy': '' }, { 'log.cleanup.policy': 'delete' }),
    { set: { 'cleanup.policy': 'compact' }, remove: [] },
  );
  assertRefused(
    configChangeOf('topic', append('compact'), {}, {}),
    /deleting old records of a compacted topic/,
  );
  assertRefused(
    configChangeOf('topic', append('delete'), {}, { 'log.cleanup.policy': 'compact' }),
    /cleanup\.policy is "compact,delete"/,
  );
  assert.deepEqual(
    configChangeOf(
      'topic',
      [{ name: replicas, kind: 'append', value: '1:2, 0:1' }],
      { [replicas]: '0:1' },
      {},
    ),
    { set: { [replicas]: '0:1,1:2' }, remove: [] },
  );
  assertRefused(
    configChangeOf('topic', [{ name: 'retention.ms', kind: 'append', value: '1' }], {}, {}),
    /retention\.ms is no list: nothing can be appended to it; set it/,
  );
});

test('replacing removes what is not given', () => {
  assert.deepEqual(
    replacingConfigs('topic', { 'retention.ms': '5' }, { 'segment.bytes': '1048576', 'retention.ms': '4' }),
    { set: { 'retention.ms': '5' }, remove: ['segment.bytes'] },
  );
});

test('names are told apart: topic configs, settings of the cluster, tables, and what nobody knows', () => {
  const refusal = (scope: 'topic' | 'cluster', name: string): unknown =>
    checkedConfigs(scope, { [name]: '1' });
  assertRefused(refusal('topic', 'foo.bar'), /"foo\.bar" is no topic config that Firn knows/);
  assertRefused(refusal('topic', '__proto__'), /no topic config/);
  assertRefused(refusal('topic', 'log.retention.ms'), /the config of topics is retention\.ms/);
  assertRefused(refusal('topic', 'table.topic.sort.by'), /of the settings of tables only those/);
  assertRefused(refusal('topic', 'automq.table.topic.auto'), /of the settings of tables only those/);
  assertRefused(
    refusal('cluster', 'retention.ms'),
    /a config of topics: set it for a topic, or log\.retention\.ms/,
  );
  assertRefused(refusal('cluster', 'log.retention.hours'), /set log\.retention\.ms instead, in milliseconds/);
  assertRefused(refusal('cluster', 'foo'), /"foo" is no setting of the cluster/);
  assert.deepEqual(checkedConfigs('cluster', { 'num.partitions': '6', 'log.retention.ms': '-1' }), {
    'num.partitions': '6',
    'log.retention.ms': '-1',
  });
});

test('AutoMQ’s names of configs of tables are other names: stored under one, and one value only', () => {
  const enable: ConfigOperation = { name: 'automq.table.topic.enable', kind: 'set', value: 'TRUE' };
  const stored = { 'table.topic.enable': 'true' };
  assert.deepEqual(configChangeOf('topic', [enable], {}, {}), { set: stored, remove: [] });
  assert.deepEqual(replacingConfigs('topic', { 'automq.table.topic.enable': 'true' }, stored), {
    set: stored,
    remove: [],
  });
  assert.deepEqual(configChangeOf('topic', [{ name: enable.name, kind: 'delete' }], stored, {}), {
    set: {},
    remove: ['table.topic.enable'],
  });
  assertRefused(
    configChangeOf('topic', [enable, { name: 'table.topic.enable', kind: 'set', value: 'false' }], {}, {}),
    /table\.topic\.enable is "true" and, under its other name automq\.table\.topic\.enable, "false"/,
  );
});

test('what of a table is not built is refused with its sentence, also under the other name', () => {
  const refusal = (name: string, value: string): unknown => checkedConfigs('topic', { [name]: value });
  assertRefused(
    refusal('automq.table.topic.upsert.enable', 'true'),
    /^automq\.table\.topic\.upsert\.enable is "true": tables with it are not built yet/,
  );
  assertRefused(refusal('table.topic.partition.by', 'day(ts)'), /not built yet; leave it out/);
  assertRefused(refusal('table.topic.errors.tolerance', 'all'), /dead letters are not built yet/);
  assertRefused(refusal('table.topic.commit.interval.ms', '10'), /whole number from 1000 to 900000/);
});
