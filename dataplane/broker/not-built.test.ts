import assert from 'node:assert/strict';
import { test } from 'node:test';
import { apiVersions } from '../protocol/api/api-versions.ts';
import { decodeResponseHeader, encodeRequestFrame } from '../protocol/headers.ts';
import { silentLogger } from '../runtime/logger.ts';
import { Metrics } from '../runtime/metrics.ts';
import { VirtualTime } from '../runtime/virtual-time.ts';
import { createMemoryStore } from '../store/memory.ts';
import { Broker } from './broker.ts';
import { unservedApis } from './not-built.ts';

/** `ApiKeys.clientApis()` of Kafka 4.3.1. */
const clientApis = (
  '0 1 2 3 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31 32 33 34 35 36 37 38 39 40 41 42 43 44 45 ' +
  '46 47 48 49 50 51 55 57 60 61 64 65 66 68 69 71 72 74 75 76 77 78 79 80 81 83 84 85 86 87 88 89 90 91 92'
)
  .split(' ')
  .map(Number);

test('every API of Kafka is either served or told to be not built', async () => {
  const { runtime } = new VirtualTime({ seed: 1 }).process('broker');
  const broker = new Broker({
    store: createMemoryStore({ runtime }),
    runtime,
    logger: silentLogger,
    metrics: new Metrics(),
    identity: { id: 1, zone: 'a', address: 'b:1', podUid: '', version: '' },
    acceptors: [],
    onReplaced: () => assert.fail(),
  });
  const frame = Buffer.concat(
    encodeRequestFrame(
      apiVersions,
      3,
      { correlationId: 1, clientId: null },
      {
        clientSoftwareName: 'test',
        clientSoftwareVersion: '1',
      },
    ),
  );
  const connection = { id: 1, remoteAddress: '', listener: '' };
  const answered = await broker.dispatcher.process(
    frame.subarray(4),
    connection,
    new AbortController().signal,
  );
  const answer = Buffer.concat(answered?.pieces ?? []).subarray(4);
  const { bodyStart } = decodeResponseHeader(answer, apiVersions, 3);
  const served = apiVersions.response.decode(answer, 3, bodyStart).apiKeys.map(({ apiKey }) => apiKey);
  const unserved = unservedApis.flatMap(({ apis }) => Object.values(apis));
  assert.deepEqual(
    [...served, ...unserved].toSorted((a, b) => a - b),
    clientApis,
  );
});
