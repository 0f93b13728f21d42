import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { inBackground } from '../dataplane/runtime/in-background.ts';
import { silentLogger } from '../dataplane/runtime/logger.ts';
import { VirtualTime } from '../dataplane/runtime/virtual-time.ts';
import { ApiError } from './errors.ts';
import type { ApiErrorReason } from './errors.ts';
import { EventSender } from './events.ts';
import type { EventFacts, KubernetesEvent } from './events.ts';
import type { KubernetesApi } from './kubernetes-api.ts';
import type { KubernetesObject } from './kubernetes-object.ts';
import { OperatorMetrics } from './metrics.ts';

class Stage {
  readonly time = new VirtualTime({ seed: 1 });
  readonly metrics = new OperatorMetrics();
  readonly sent: KubernetesEvent[] = [];
  attempts = 0;
  readonly sender: EventSender;

  constructor(failure?: (attempt: number) => ApiErrorReason | undefined) {
    const create = (_type: unknown, object: KubernetesObject): Promise<KubernetesObject> => {
      const reason = failure?.(++this.attempts);
      if (reason !== undefined) return Promise.reject(new ApiError(reason, reason));
      this.sent.push(object as KubernetesEvent);
      return Promise.resolve(object);
    };
    this.sender = new EventSender({
      api: { create: create as KubernetesApi['create'] },
      runtime: this.time.environment,
      logger: silentLogger,
      metrics: this.metrics,
      controller: 'firn.dev/operator',
      instance: 'pod-1',
    });
    inBackground(this.sender.run());
  }

  async settle(): Promise<void> {
    await this.time.untilIdle();
  }

  async count(result: string): Promise<number> {
    const text = await this.metrics.expose();
    const line = new RegExp(`^firn_kubernetes_events_total\\{result="${result}"\\} (\\d+)$`, 'm');
    return Number(line.exec(text)?.[1] ?? 0);
  }
}

function facts(note: string, name = 'main', action = 'Ready'): EventFacts {
  const regarding = {
    apiVersion: 'firn.dev/v1beta1',
    kind: 'Broker',
    metadata: { name, namespace: 'streaming', uid: `uid-${name}`, resourceVersion: '7' },
  };
  return { regarding, type: 'Warning', reason: 'ActionFailed', action, note };
}

describe('Kubernetes events', () => {
  it('have the form of events.k8s.io/v1', async () => {
    const stage = new Stage();
    stage.sender.record(facts('no quota'));
    await stage.settle();
    const [event] = stage.sent;
    assert.match(event?.metadata.name ?? '', /^main\.[0-9a-f]{16}$/);
    assert.deepEqual(
      { ...event, metadata: event?.metadata.namespace },
      {
        apiVersion: 'events.k8s.io/v1',
        kind: 'Event',
        metadata: 'streaming',
        eventTime: '2026-01-01T00:00:00.000000Z',
        reportingController: 'firn.dev/operator',
        reportingInstance: 'pod-1',
        type: 'Warning',
        reason: 'ActionFailed',
        action: 'Ready',
        note: 'no quota',
        regarding: {
          apiVersion: 'firn.dev/v1beta1',
          kind: 'Broker',
          namespace: 'streaming',
          name: 'main',
          uid: 'uid-main',
          resourceVersion: '7',
        },
      },
    );
  });

  it('are sent when something changes, not when it is said again', async () => {
    const stage = new Stage();
    for (const note of ['a', 'a', 'b', 'b', 'a']) stage.sender.record(facts(note));
    stage.sender.record(facts('a', 'other'));
    stage.sender.record(facts('a', 'main', 'other'));
    await stage.settle();
    assert.deepEqual(
      stage.sent.map(({ note }) => note),
      ['a', 'b', 'a', 'a', 'a'],
    );
  });

  it('are bounded for each object, which earns one a minute', async () => {
    const stage = new Stage();
    for (let i = 0; i < 50; i++) stage.sender.record(facts(`n${i}`));
    stage.sender.record(facts('x', 'other'));
    await stage.settle();
    assert.equal(stage.sent.length, 21);
    assert.equal(await stage.count('dropped'), 30);
    await stage.time.run({ untilMs: 125_000 });
    for (let i = 0; i < 50; i++) stage.sender.record(facts(`m${i}`));
    await stage.settle();
    assert.equal(stage.sent.length, 23);
  });

  it('that wait are bounded too', async () => {
    const stage = new Stage();
    for (let i = 0; i < 400; i++) stage.sender.record(facts('x', `object-${i}`));
    await stage.settle();
    assert.ok(stage.sent.length >= 256 && stage.sent.length <= 257, String(stage.sent.length));
    assert.equal((await stage.count('dropped')) + stage.sent.length, 400);
  });

  it('are tried three times while that may help, and do not hold up others', async () => {
    const stage = new Stage((attempt) => (attempt <= 3 ? 'ServiceUnavailable' : undefined));
    stage.sender.record(facts('lost'));
    stage.sender.record(facts('sent'));
    await stage.settle();
    assert.deepEqual(
      stage.sent.map(({ note }) => note),
      ['sent'],
    );
    assert.equal(await stage.count('failed'), 1);
  });

  it('are given up at once where they are refused: in a namespace that is being deleted', async () => {
    const stage = new Stage(() => 'Forbidden');
    stage.sender.record(facts('x'));
    await stage.settle();
    assert.equal(stage.attempts, 1);
    assert.equal(await stage.count('failed'), 1);
  });

  it('keep within the lengths that the API allows, in whole characters', async () => {
    const stage = new Stage();
    stage.sender.record(facts('ä'.repeat(2_000), 'n'.repeat(253)));
    await stage.settle();
    const [event] = stage.sent;
    const bytes = Buffer.byteLength(event?.note ?? '');
    assert.ok(bytes <= 1_024 && bytes > 1_000, String(bytes));
    assert.match(event?.note ?? '', /^ä+…$/);
    assert.ok((event?.metadata.name.length ?? 999) <= 253);
  });

  it('end with the process', async () => {
    const stage = new Stage(() => 'ServiceUnavailable');
    stage.sender.record(facts('x'));
    await stage.time.run({ untilMs: 10 });
    await stage.time.drive(() => stage.sender.stop());
    stage.sender.record(facts('y'));
    await stage.settle();
    assert.equal(stage.attempts, 1);
  });
});
