import assert from 'node:assert/strict';
import { test } from 'node:test';
import { raiseFormatVersion } from '../cluster/broker-changes.ts';
import { decodeFrame } from './format/document.ts';
import { sessionKey } from './format/keys.ts';
import { TestCluster } from './inspect/bucket-fixture.ts';

test('the birth record is written in the format version of the cluster', async () => {
  const cluster = new TestCluster(1);
  const one = await cluster.start(1);
  const versionOf = (sid: string): number =>
    decodeFrame('session', cluster.bytes(sessionKey(sid)), sessionKey(sid)).formatVersion;
  assert.equal(versionOf(one.sid), 1);
  await cluster.change(one, (state) => raiseFormatVersion(state, 2));
  const two = await cluster.start(2);
  assert.equal(versionOf(two.sid), 2);
});
