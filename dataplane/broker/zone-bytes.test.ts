import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TopicEntry } from '../cluster/cluster-state.ts';
import { Metrics } from '../runtime/metrics.ts';
import { ZoneBytes } from './zone-bytes.ts';

const topic = (configs: Record<string, string>): TopicEntry => ({
  topicId: 'a'.repeat(32),
  partitions: 1,
  groups: [[0, 1, 1]],
  internal: false,
  configs,
});

test('record bytes are counted by the zones of both ends, the reason, and whether the topic is a table', async () => {
  const metrics = new Metrics();
  const bytes = new ZoneBytes(metrics, 'a');
  const [plain, table] = [topic({}), topic({ 'table.topic.enable': 'true' })];
  bytes.count('produce', 'b', plain, {}, 10);
  bytes.count('produce', 'b', plain, {}, 5);
  bytes.count('produce', undefined, table, {}, 7);
  bytes.count('fetch', 'b', plain, {}, 3);
  bytes.count('fetch', 'a', table, {}, 2);
  const lines = (await metrics.expose())
    .split('\n')
    .filter((line) => line.startsWith('firn_zone_bytes_total{'));
  assert.deepEqual(lines.toSorted(), [
    'firn_zone_bytes_total{from="a",to="a",reason="fetch",table="true"} 2',
    'firn_zone_bytes_total{from="a",to="b",reason="fetch",table="false"} 3',
    'firn_zone_bytes_total{from="b",to="a",reason="produce",table="false"} 15',
    'firn_zone_bytes_total{from="unknown",to="a",reason="produce",table="true"} 7',
  ]);
});
