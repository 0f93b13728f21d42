import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentLogger } from '../runtime/logger.ts';
import { Metrics } from '../runtime/metrics.ts';
import { realRuntime } from '../runtime/real-runtime.ts';
import { createMemoryStore } from '../store/memory.ts';
import { Broker } from './broker.ts';

function newBroker(store = createMemoryStore({ runtime: realRuntime })): Broker {
  return new Broker({
    store,
    runtime: realRuntime,
    logger: silentLogger,
    metrics: new Metrics(),
    identity: { id: 0, zone: 'a', address: '127.0.0.1:1', podUid: '', version: '1.2.3' },
    acceptors: [],
    options: { pollMs: 20 },
    onReplaced: () => undefined,
  });
}

test('a broker is ready when it serves, and healthy until it must exit', async () => {
  const store = createMemoryStore({ runtime: realRuntime });
  const broker = newBroker(store);
  const pages = broker.adminPages;
  assert.match(pages.unready() ?? '', /not registered in meta\/cluster yet/);
  assert.equal(pages.unhealthy(), undefined);
  assert.equal(broker.status.cluster, null);
  assert.equal(broker.status.broker.sid, null);
  await broker.start();
  assert.equal(pages.unready(), undefined);
  assert.deepEqual(broker.status.broker, {
    id: 0,
    zone: 'a',
    version: '1.2.3',
    phase: 'serving',
    sid: broker.log.sid,
  });
  assert.match((await pages.metrics()).text, /^firn_served_partitions 0$/m);
  const next = newBroker(store);
  await next.start();
  while (broker.status.broker.phase !== 'replaced')
    await new Promise((resolve) => realRuntime.after(5, () => resolve(undefined)));
  assert.match(pages.unready() ?? '', /belongs to another process/);
  assert.match(pages.unhealthy() ?? '', /broker id 0 belongs to another process now: this one must exit/);
  await broker.stop();
  assert.match(pages.unhealthy() ?? '', /another process/);
  await next.drain();
  assert.match(next.adminPages.unhealthy() ?? '', /has stopped/);
});
