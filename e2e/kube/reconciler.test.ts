import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { inBackground } from '../../dataplane/runtime/in-background.ts';
import { silentLogger } from '../../dataplane/runtime/logger.ts';
import { realRuntime } from '../../dataplane/runtime/real-runtime.ts';
import type { ApiClient } from '../../operator/api-client.ts';
import { standardConditions } from '../../operator/conditions.ts';
import { EventSender, events } from '../../operator/events.ts';
import { keyOf } from '../../operator/kubernetes-object.ts';
import type { KubernetesObject, ResourceType } from '../../operator/kubernetes-object.ts';
import { OperatorMetrics } from '../../operator/metrics.ts';
import { subjectOf } from '../../operator/object-cache.ts';
import { known, observe } from '../../operator/observation.ts';
import type { Observation } from '../../operator/observation.ts';
import { Reconciler } from '../../operator/reconciler.ts';
import type { Action, Controller, ObjectWithStatus } from '../../operator/reconciler.ts';
import { Reflector } from '../../operator/reflector.ts';
import { WorkQueue } from '../../operator/work-queue.ts';
import { startKubeApiServer } from '../tools/kube-api-server.ts';
import type { KubeApiServer } from '../tools/kube-api-server.ts';
import { skipUnless } from '../tools/real-part.ts';
import { configMap, configMaps, makeNamespace, testClient } from './test-access.ts';
import type { ConfigMap } from './test-access.ts';

/** Wants so many config maps to exist. */
interface Gadget extends ObjectWithStatus {
  readonly apiVersion: 'test.firn.dev/v1';
  readonly kind: 'Gadget';
  readonly spec: { readonly parts: number };
}

const gadgets: ResourceType<Gadget> = {
  apiVersion: 'test.firn.dev/v1',
  kind: 'Gadget',
  plural: 'gadgets',
  isNamespaced: true,
};

const definitions: ResourceType = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  plural: 'customresourcedefinitions',
  isNamespaced: false,
};

type GadgetAction = Action & { readonly kind: 'apply' | 'delete'; readonly part: string };
type Parts = Observation<readonly ConfigMap[]>;

describe('a controller over a real API server', { skip: await skipUnless('kube') }, () => {
  let server: KubeApiServer;
  let client: ApiClient;

  before(async () => {
    server = await startKubeApiServer();
    client = testClient(server);
    await client.create(definitions, gadgetDefinition);
    await until(
      () =>
        client.list(gadgets).then(
          () => true,
          () => false,
        ),
      'the API server serves the new kind',
    );
  });
  after(async () => {
    client.close();
    await server.stop();
  });

  it('makes what the spec asks for, says so, follows changes, and then writes nothing', async () => {
    const namespace = await makeNamespace(client, 'gadgets');
    await using operator = startOperator(client, namespace);
    const gadget: Gadget = {
      apiVersion: 'test.firn.dev/v1',
      kind: 'Gadget',
      metadata: { namespace, name: 'g', labels: { team: 'x' } },
      spec: { parts: 3 },
    };
    const ref = { namespace, name: 'g' };
    await client.create(gadgets, gadget);
    const readyFor = async (generation: number): Promise<boolean> => {
      const { status } = await client.get(gadgets, ref);
      return status?.observedGeneration === generation && status.conditions?.[0]?.status === 'True';
    };
    await until(() => readyFor(1), 'the gadget is ready');
    assert.deepEqual(await partNames(client, namespace), ['g-0', 'g-1', 'g-2']);

    await client.apply(gadgets, { ...gadget, spec: { parts: 1 } }, { fieldManager: 'user' });
    await until(() => readyFor(2), 'the smaller gadget is ready');
    assert.deepEqual(await partNames(client, namespace), ['g-0']);

    // Somebody removes a part, and adds labels of their own to it and to the gadget.
    await client.delete(configMaps, { namespace, name: 'g-0' });
    await until(async () => (await partNames(client, namespace)).length === 1, 'the part is back');
    const theirs = {
      ...configMap(namespace, 'g-0'),
      metadata: { namespace, name: 'g-0', labels: { theirs: 'yes' } },
    };
    await client.apply(configMaps, theirs, { fieldManager: 'user' });
    await until(() => readyFor(2), 'the gadget is ready again');
    await until(() => Promise.resolve(operator.isIdle()), 'all work is done');
    const before = await client.list(gadgets, { namespace });
    for (let i = 0; i < 5; i++) {
      operator.lookAgain();
      await until(() => Promise.resolve(operator.isIdle()), 'all work is done');
    }
    const [now] = (await client.list(gadgets, { namespace })).items;
    assert.equal(now?.metadata.resourceVersion, before.items[0]?.metadata.resourceVersion, 'idle writes');
    assert.deepEqual(now?.metadata.labels, { team: 'x' });
    const part = await client.get(configMaps, { namespace, name: 'g-0' });
    assert.deepEqual(part.metadata.labels, { theirs: 'yes' });

    await until(async () => {
      const { items } = await client.list(events, { namespace });
      const told = items.map(({ reason, action }) => `${reason} ${action}`);
      return ['Progressing apply', 'Progressing delete', 'Reconciled Ready'].every((event) =>
        told.includes(event),
      );
    }, 'events of it are there');

    await client.delete(gadgets, ref);
    await until(() => Promise.resolve(operator.forgotten.includes('gadgets/g')), 'the gadget is forgotten');
  });
});

function startOperator(api: ApiClient, namespace: string) {
  const metrics = new OperatorMetrics();
  const forgotten: string[] = [];
  const common = { api, runtime: realRuntime, logger: silentLogger, metrics };
  const sender = new EventSender({ ...common, controller: 'firn.dev/test', instance: 'test' });
  let running = 0;
  const owned = new Reflector({
    ...common,
    type: configMaps,
    selection: { namespace },
    onChange: (change) => {
      const [name = ''] = subjectOf(change).metadata.name.split('-');
      queue.add(keyOf({ namespace, name }));
    },
  });
  const own = new Reflector({
    ...common,
    type: gadgets,
    selection: { namespace },
    onChange: (change) => queue.add(keyOf(subjectOf(change).metadata)),
  });
  const reconciler = new Reconciler<Gadget, Parts, GadgetAction>(gadgetController(api, own, forgotten), {
    ...common,
    events: sender,
    mayWrite: () => true,
    settleMs: 50,
  });
  const queue: WorkQueue = new WorkQueue({
    name: 'gadget',
    ...common,
    work: async (key, signal) => {
      running++;
      try {
        return await reconciler.reconcile(key, signal);
      } finally {
        running--;
      }
    },
  });
  const services = [owned, own, sender, queue];
  for (const service of services) inBackground(service.run());
  return {
    forgotten,
    isIdle: () => queue.depth === 0 && running === 0,
    lookAgain: () => queue.add(keyOf({ namespace, name: 'g' }), 'low'),
    async [Symbol.asyncDispose](): Promise<void> {
      for (const service of services.toReversed()) await service.stop();
    },
  };
}

function gadgetController(
  api: ApiClient,
  own: Reflector<Gadget>,
  forgotten: string[],
): Controller<Gadget, Parts, GadgetAction> {
  const fieldManager = 'firn-gadget';
  return {
    name: 'gadget',
    read: (key) => own.cache.get(key),
    observe: ({ metadata: { namespace, name } }) =>
      observe(async () => {
        const { items } = await api.list(configMaps, { namespace });
        return items.filter(({ metadata }) => metadata.name.startsWith(`${name}-`));
      }),
    plan({ metadata: { name }, spec }, observed) {
      const there = (known(observed) ?? []).map(({ metadata }) => metadata.name);
      const wanted = Array.from({ length: spec.parts }, (_, i) => `${name}-${i}`);
      const action = (kind: 'apply' | 'delete', part: string): GadgetAction => ({
        kind,
        part,
        reason: 'Progressing',
        note: `${kind} ${part}`,
      });
      return {
        actions: [
          ...wanted.filter((part) => !there.includes(part)).map((part) => action('apply', part)),
          ...there.filter((part) => !wanted.includes(part)).map((part) => action('delete', part)),
        ],
      };
    },
    async execute({ kind, part }, { metadata: { namespace = '' } }, signal) {
      if (kind === 'delete') await api.delete(configMaps, { namespace, name: part }, { signal });
      else await api.apply(configMaps, configMap(namespace, part, { made: 'yes' }), { fieldManager, signal });
    },
    status(_gadget, observed, outcome) {
      const parts = observed?.state === 'present' ? observed.value.length : 0;
      const summary =
        outcome.kind === 'converged'
          ? ({ kind: 'ready', reason: 'Reconciled', message: `${parts} parts` } as const)
          : outcome.kind === 'acted'
            ? ({ kind: 'progressing', reason: 'Progressing', message: 'parts were changed' } as const)
            : ({ kind: 'unknown', reason: 'ObservationFailed', message: String(outcome.error) } as const);
      return { conditions: standardConditions(summary), fields: { parts } };
    },
    writeStatus: ({ apiVersion, kind, metadata: { namespace, name } }, status, signal) =>
      api.applyStatus(
        gadgets,
        { apiVersion, kind, metadata: { namespace, name }, status },
        { fieldManager, signal },
      ),
    forget: (key) => forgotten.push(key),
  };
}

async function partNames(client: ApiClient, namespace: string): Promise<string[]> {
  const { items } = await client.list(configMaps, { namespace });
  return items.map(({ metadata }) => metadata.name).filter((name) => name.startsWith('g-'));
}

async function until(condition: () => Promise<boolean>, what: string): Promise<void> {
  const deadline = performance.now() + 60_000;
  while (!(await condition())) {
    assert.ok(performance.now() < deadline, `it did not come to this: ${what}`);
    await sleep(20);
  }
}

const condition = {
  type: 'object',
  required: ['type', 'status', 'reason', 'message', 'observedGeneration', 'lastTransitionTime'],
  properties: {
    type: { type: 'string' },
    status: { type: 'string', enum: ['True', 'False', 'Unknown'] },
    reason: { type: 'string' },
    message: { type: 'string' },
    observedGeneration: { type: 'integer' },
    lastTransitionTime: { type: 'string', format: 'date-time' },
  },
};

const gadgetSchema = {
  type: 'object',
  properties: {
    spec: { type: 'object', properties: { parts: { type: 'integer' } } },
    status: {
      type: 'object',
      properties: {
        observedGeneration: { type: 'integer' },
        parts: { type: 'integer' },
        conditions: {
          type: 'array',
          'x-kubernetes-list-type': 'map',
          'x-kubernetes-list-map-keys': ['type'],
          items: condition,
        },
      },
    },
  },
};

const gadgetDefinition: KubernetesObject & { readonly spec: unknown } = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: 'gadgets.test.firn.dev' },
  spec: {
    group: 'test.firn.dev',
    scope: 'Namespaced',
    names: { plural: 'gadgets', singular: 'gadget', kind: 'Gadget' },
    versions: [
      {
        name: 'v1',
        served: true,
        storage: true,
        subresources: { status: {} },
        schema: { openAPIV3Schema: gadgetSchema },
      },
    ],
  },
};
