import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { inBackground } from '../../dataplane/runtime/in-background.ts';
import { silentLogger } from '../../dataplane/runtime/logger.ts';
import { realRuntime } from '../../dataplane/runtime/real-runtime.ts';
import { VirtualRandom } from '../../dataplane/runtime/virtual-random.ts';
import type { ApiClient } from '../../operator/api-client.ts';
import { keyOf } from '../../operator/kubernetes-object.ts';
import { OperatorMetrics } from '../../operator/metrics.ts';
import { subjectOf } from '../../operator/object-cache.ts';
import { listAll } from '../../operator/paged-list.ts';
import { Reflector } from '../../operator/reflector.ts';
import { startKubeApiServer } from '../tools/kube-api-server.ts';
import type { KubeApiServer } from '../tools/kube-api-server.ts';
import { skipUnless } from '../tools/real-part.ts';
import { startApiFaultProxy } from './api-fault-proxy.ts';
import type { ApiFaultProxy, ApiFaultRule } from './api-fault-proxy.ts';
import { configMap, configMaps, makeNamespace, testClient } from './test-access.ts';
import type { ConfigMap } from './test-access.ts';

const faults: Readonly<Record<string, readonly ApiFaultRule[]>> = {
  'watches that are cut': [
    { name: 'reset', on: 'event', probability: 0.2, fault: { kind: 'cut', ending: 'reset' } },
    { name: 'closed', on: 'event', probability: 0.2, fault: { kind: 'cut', ending: 'close' } },
    { name: 'torn', on: 'event', probability: 0.1, fault: { kind: 'tear' } },
  ],
  'watches that are refused': [
    {
      name: '500',
      on: 'watch',
      probability: 0.4,
      fault: { kind: 'refuse', status: 500, reason: 'InternalError' },
    },
    { name: '502', on: 'watch', probability: 0.3, fault: { kind: 'refuse', status: 502 } },
    { name: 'cut', on: 'event', probability: 0.3, fault: { kind: 'cut', ending: 'close' } },
  ],
  'a position that is too old': [
    { name: 'at once', on: 'watch', count: 2, fault: { kind: 'refuse', status: 410, reason: 'Expired' } },
    { name: 'later', on: 'event', probability: 0.2, fault: { kind: 'error', code: 410, reason: 'Expired' } },
  ],
  'ERROR events': [
    {
      name: 'error',
      on: 'event',
      probability: 0.3,
      fault: { kind: 'error', code: 500, reason: 'InternalError' },
    },
  ],
  'a server that asks to wait': [
    {
      name: '429',
      on: 'list',
      count: 3,
      fault: { kind: 'refuse', status: 429, reason: 'TooManyRequests', retryAfterSeconds: 1 },
    },
    { name: 'cut', on: 'event', probability: 0.3, fault: { kind: 'error', code: 410, reason: 'Expired' } },
  ],
  'lists that fail': [
    { name: '500', on: 'list', count: 3, fault: { kind: 'refuse', status: 500, reason: 'InternalError' } },
    { name: 'reset', on: 'list', count: 2, fault: { kind: 'reset' } },
    { name: 'expired page', on: 'list', count: 2, fault: { kind: 'refuse', status: 410, reason: 'Expired' } },
  ],
  'lists that are slow, or never answered': [
    { name: 'silence', on: 'list', count: 2, fault: { kind: 'silence' } },
    { name: 'delay', on: 'list', fault: { kind: 'delay', ms: 300 } },
  ],
  'connections that are half-open': [
    { name: 'silence', on: 'event', probability: 0.15, fault: { kind: 'silence' } },
    { name: 'no head', on: 'watch', probability: 0.2, fault: { kind: 'silence' } },
  ],
  'events that come twice': [{ name: 'repeat', on: 'event', probability: 0.6, fault: { kind: 'repeat' } }],
  'events that never come': [{ name: 'drop', on: 'event', probability: 0.4, fault: { kind: 'drop' } }],
  'all of it': [
    {
      name: 'list',
      on: 'list',
      probability: 0.2,
      fault: { kind: 'refuse', status: 500, reason: 'InternalError' },
    },
    { name: 'watch', on: 'watch', probability: 0.2, fault: { kind: 'reset' } },
    { name: 'drop', on: 'event', probability: 0.05, fault: { kind: 'drop' } },
    { name: 'repeat', on: 'event', probability: 0.2, fault: { kind: 'repeat' } },
    { name: 'cut', on: 'event', probability: 0.1, fault: { kind: 'cut', ending: 'reset' } },
    { name: 'silence', on: 'event', probability: 0.05, fault: { kind: 'silence' } },
    { name: 'error', on: 'event', probability: 0.05, fault: { kind: 'error', code: 410, reason: 'Expired' } },
  ],
};

describe('a reflector before a real API server', { skip: await skipUnless('kube') }, () => {
  let server: KubeApiServer;
  let proxy: ApiFaultProxy;
  let direct: ApiClient;
  let count = 0;

  before(async () => {
    server = await startKubeApiServer();
    proxy = await startApiFaultProxy(server);
    direct = testClient(server);
  });
  after(async () => {
    direct.close();
    await proxy.stop();
    await server.stop();
  });

  for (const [what, rules] of Object.entries(faults)) {
    it(`has the truth after ${what}`, async () => {
      await using stage = await startStage(`ns-${++count}`);
      proxy.setRules(rules, count);
      await stage.writeRandomly(40);
      const idle = (): string[] => rules.map(({ name }) => name).filter((name) => proxy.hits()[name] === 0);
      // Lists come with audits.
      for (const deadline = performance.now() + 60_000; idle().length > 0;) {
        assert.ok(performance.now() < deadline, `rules that hit nothing: ${idle().join(', ')}`);
        await stage.writeRandomly(5);
      }
      proxy.setRules([]);
      await stage.untilEqual();
    });
  }

  it('follows over a restart of the API server', async () => {
    await using stage = await startStage(`ns-${++count}`);
    await stage.writeRandomly(20);
    await server.restart();
    await stage.writeRandomly(20);
    await stage.untilEqual();
  });

  /** A reflector behind the proxy, whose listener keeps a copy of its own. */
  async function startStage(name: string) {
    const namespace = await makeNamespace(direct, name);
    for (let i = 0; i < 10; i++) await direct.create(configMaps, configMap(namespace, `c${i}`));
    const behind = testClient(server, { via: proxy.url, timeoutMs: 2_000 });
    const metrics = new OperatorMetrics();
    const copy = new Map<string, ConfigMap>();
    const reflector = new Reflector({
      api: behind,
      type: configMaps,
      selection: { namespace },
      runtime: realRuntime,
      logger: silentLogger,
      metrics,
      pageSize: 4,
      listTimeoutMs: 1_000,
      watchTimeoutMs: 4_000,
      idleMs: 1_500,
      auditMs: 2_000,
      backoff: { initialMs: 20, maxMs: 200 },
      onChange: (change) => {
        const { metadata } = subjectOf(change);
        if (change.kind === 'deleted') copy.delete(keyOf(metadata));
        else copy.set(keyOf(metadata), change.after);
      },
    });
    inBackground(reflector.run());
    await reflector.synced();
    assert.ok(reflector.cache.size >= 10);
    const random = new VirtualRandom(count, 'writer');
    return {
      /** Straight at the API server. */
      async writeRandomly(writes: number): Promise<void> {
        for (let i = 0; i < writes; i++) {
          const ref = { namespace, name: `c${random.below(14)}` };
          if (random.chance(0.3)) await direct.delete(configMaps, ref);
          else
            await direct.apply(configMaps, configMap(namespace, ref.name, { i: String(i) }), {
              fieldManager: 'test',
            });
          await sleep(random.below(40));
        }
      },
      async untilEqual(): Promise<void> {
        const deadline = performance.now() + 60_000;
        for (;;) {
          const { items } = await listAll(direct, configMaps, { namespace, limit: 500 });
          const truth = versionsOf(items);
          const [cached, told] = [versionsOf([...reflector.cache.values()]), versionsOf([...copy.values()])];
          if (cached === truth && told === truth) return;
          if (performance.now() > deadline)
            assert.deepEqual({ cached, told }, { cached: truth, told: truth });
          await sleep(50);
        }
      },
      async [Symbol.asyncDispose](): Promise<void> {
        proxy.setRules([]);
        await reflector.stop();
        behind.close();
      },
    };
  }
});

function versionsOf(objects: readonly ConfigMap[]): string {
  return objects
    .map(({ metadata }) => `${metadata.name}@${metadata.resourceVersion}`)
    .toSorted()
    .join(' ');
}
