import assert from 'node:assert/strict';
import { writeFile, mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { TestContext } from 'node:test';
import { createLogger, silentLogger } from '../../dataplane/runtime/logger.ts';
import { realRuntime } from '../../dataplane/runtime/real-runtime.ts';
import { ApiClient } from '../../operator/api-client.ts';
import { openClusterAccess, ServiceAccountAccess } from '../../operator/cluster-access.ts';
import { ApiError, ClusterAccessError, hasReason } from '../../operator/errors.ts';
import type { ApiErrorReason } from '../../operator/errors.ts';
import type { WatchEvent } from '../../operator/kubernetes-api.ts';
import type { KubernetesObject, ResourceType } from '../../operator/kubernetes-object.ts';
import { OperatorMetrics } from '../../operator/metrics.ts';
import { listAll } from '../../operator/paged-list.ts';
import { startKubeApiServer } from '../tools/kube-api-server.ts';
import type { KubeApiServer } from '../tools/kube-api-server.ts';
import { skipUnless } from '../tools/real-part.ts';
import { configMap, configMaps, makeNamespace, namespaces, testClient } from './test-access.ts';
import type { ConfigMap } from './test-access.ts';

const deployments: ResourceType = {
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  plural: 'deployments',
  isNamespaced: true,
};

function withReason(reason: ApiErrorReason): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof ApiError, String(error));
    assert.equal(error.reason, reason, error.message);
    return true;
  };
}

describe('the API client', { skip: await skipUnless('kube') }, () => {
  let server: KubeApiServer;
  let client: ApiClient;

  before(async () => {
    server = await startKubeApiServer({ users: { nobody: [] } });
    client = testClient(server);
  });
  after(async () => {
    client.close();
    await server.stop();
  });

  it('creates, reads, replaces and deletes, and tells an object that is not there from one it cannot ask for', async () => {
    const ns = await makeNamespace(client, 'crud');
    const made = await client.create(configMaps, configMap(ns, 'a', { x: '1' }));
    assert.equal(made.kind, 'ConfigMap');
    assert.deepEqual((await client.get(configMaps, { namespace: ns, name: 'a' })).data, { x: '1' });
    await assert.rejects(client.create(configMaps, configMap(ns, 'a')), withReason('AlreadyExists'));

    const replaced = await client.replace(configMaps, { ...made, data: { x: '2' } });
    assert.notEqual(replaced.metadata.resourceVersion, made.metadata.resourceVersion);
    await assert.rejects(client.replace(configMaps, { ...made, data: { x: '3' } }), withReason('Conflict'));

    assert.equal(await client.find(configMaps, { namespace: ns, name: 'b' }), undefined);
    assert.equal(await client.find(configMaps, { namespace: 'no-such', name: 'b' }), undefined);
    const unserved: ResourceType = { ...deployments, apiVersion: 'firn.dev/v9' };
    await assert.rejects(client.find(unserved, { namespace: ns, name: 'b' }), withReason('Unknown'));
    const unknown: ResourceType = { ...deployments, plural: 'gizmos' };
    await assert.rejects(
      client.find(unknown, { namespace: ns, name: 'b' }),
      (error) => !(error instanceof TypeError),
    );

    const other = { uid: '00000000-0000-0000-0000-000000000000' };
    await assert.rejects(
      client.delete(configMaps, { namespace: ns, name: 'a' }, other),
      withReason('Conflict'),
    );
    assert.equal(
      await client.delete(configMaps, { namespace: ns, name: 'a' }, { uid: made.metadata.uid }),
      true,
    );
    assert.equal(await client.delete(configMaps, { namespace: ns, name: 'a' }), false);
  });

  it('applies the fields it names and leaves those of others alone', async () => {
    const ns = await makeNamespace(client, 'apply');
    const theirs = {
      ...configMap(ns, 'a', { theirs: '1' }),
      metadata: { namespace: ns, name: 'a', labels: { team: 'x' } },
    };
    await client.apply(configMaps, theirs, { fieldManager: 'them' });
    await client.apply(configMaps, configMap(ns, 'a', { ours: '1', old: '1' }), { fieldManager: 'firn' });
    const dry = await client.apply(configMaps, configMap(ns, 'a', { ours: '9' }), {
      fieldManager: 'firn',
      dryRun: true,
    });
    assert.deepEqual(dry.data, { theirs: '1', ours: '9' });
    const result = await client.apply(configMaps, configMap(ns, 'a', { ours: '2' }), {
      fieldManager: 'firn',
    });
    assert.deepEqual(result.data, { theirs: '1', ours: '2' });
    assert.deepEqual(result.metadata.labels, { team: 'x' });

    const stale = configMap(ns, 'a', { ours: '3' });
    const precondition = { ...stale, metadata: { ...stale.metadata, resourceVersion: '1' } };
    await assert.rejects(
      client.apply(configMaps, precondition, { fieldManager: 'firn' }),
      withReason('Conflict'),
    );

    const again = await client.apply(configMaps, configMap(ns, 'a', { ours: '2' }), { fieldManager: 'firn' });
    assert.equal(
      again.metadata.resourceVersion,
      result.metadata.resourceVersion,
      'nothing changed, nothing is written',
    );
  });

  it('refuses fields that the API does not have', async () => {
    const ns = await makeNamespace(client, 'strict');
    const misspelt = { ...configMap(ns, 'a'), dada: {} } as ConfigMap;
    await assert.rejects(client.create(configMaps, misspelt), withReason('BadRequest'));
    await assert.rejects(client.apply(configMaps, misspelt, { fieldManager: 'firn' }));
  });

  it('says what RBAC does not allow, and what credentials are not accepted', async () => {
    const nobody = testClient(server, { token: server.tokens['nobody'] });
    await assert.rejects(nobody.list(configMaps, { namespace: 'default' }), withReason('Forbidden'));
    nobody.close();
    const stranger = testClient(server, { token: 'no-such-token' });
    await assert.rejects(stranger.list(configMaps, { namespace: 'default' }), withReason('Unauthorized'));
    stranger.close();
  });

  it('lists in pages that are one state', async () => {
    const ns = await makeNamespace(client, 'pages');
    for (let i = 0; i < 7; i++) await client.create(configMaps, configMap(ns, `c${i}`));
    const first = await client.list(configMaps, { namespace: ns, limit: 3 });
    assert.equal(first.items.length, 3);
    await client.delete(configMaps, { namespace: ns, name: 'c6' });
    const second = await client.list(configMaps, {
      namespace: ns,
      limit: 30,
      continueToken: first.continueToken,
    });
    assert.deepEqual(
      second.items.map(({ metadata }) => metadata.name),
      ['c3', 'c4', 'c5', 'c6'],
    );
    assert.equal(second.resourceVersion, first.resourceVersion);

    const now = await listAll(client, configMaps, { namespace: ns, limit: 2 });
    assert.equal(now.items.length, 6);
    const then = await listAll(client, configMaps, {
      namespace: ns,
      limit: 2,
      exactly: first.resourceVersion,
    });
    assert.equal(then.items.length, 7);
  });

  it('watches from a position, with what was missed since then, and ends when asked to', async () => {
    const ns = await makeNamespace(client, 'watch');
    const { resourceVersion } = await client.list(configMaps, { namespace: ns });
    const made = await client.create(configMaps, configMap(ns, 'a', { x: '1' }));
    await client.replace(configMaps, { ...made, data: { x: '2' } });
    await client.delete(configMaps, { namespace: ns, name: 'a' });
    const events: WatchEvent<ConfigMap>[] = [];
    const options = { namespace: ns, resourceVersion, timeoutMs: 2_000, idleMs: 60_000 };
    for await (const event of client.watch(configMaps, options)) events.push(event);
    const changes = events.filter(({ type }) => type !== 'BOOKMARK');
    assert.deepEqual(
      changes.map(({ type }) => type),
      ['ADDED', 'MODIFIED', 'DELETED'],
    );
  });

  it('takes a watch on which nothing comes for dead, and lets go of one when told to', async () => {
    const ns = await makeNamespace(client, 'idle');
    const { resourceVersion } = await client.list(configMaps, { namespace: ns });
    const drain = async (idleMs: number, signal?: AbortSignal): Promise<void> => {
      const options = { namespace: ns, resourceVersion, timeoutMs: 600_000, idleMs, signal };
      for await (const event of client.watch(configMaps, options)) assert.equal(event.type, 'BOOKMARK');
    };
    await assert.rejects(drain(300), withReason('NoAnswer'));
    const controller = new AbortController();
    const reason = new Error('enough');
    const watching = drain(60_000, controller.signal);
    setTimeout(() => controller.abort(reason), 100);
    await assert.rejects(watching, (error) => error === reason);
  });

  it('reads a kubeconfig', async () => {
    const access = await openClusterAccess({ runtime: realRuntime, env: {}, file: server.kubeconfig });
    const metrics = new OperatorMetrics();
    const other = new ApiClient({
      access,
      runtime: realRuntime,
      logger: silentLogger,
      metrics,
      userAgent: 'firn-test',
    });
    const { items } = await other.list(namespaces);
    assert.ok(items.some(({ metadata }) => metadata.name === 'default'));
    other.close();
    assert.match(
      await metrics.expose(),
      /rest_client_requests_total\{code="200",method="GET",host="127\.0\.0\.1:\d+"\} 1/,
    );
  });

  it('uses the service account of a pod, and reads its token anew when it is refused', async (t) => {
    const folder = await serviceAccountFolder(t, server, 'stale-token');
    const { hostname, port } = new URL(server.url);
    const env = { KUBERNETES_SERVICE_HOST: hostname, KUBERNETES_SERVICE_PORT: port };
    const access = await ServiceAccountAccess.open(realRuntime, env, folder);
    assert.equal(access.namespace, 'streaming');
    const metrics = new OperatorMetrics();
    const pod = new ApiClient({
      access,
      runtime: realRuntime,
      logger: silentLogger,
      metrics,
      userAgent: 'firn-test',
    });
    await assert.rejects(pod.list(namespaces), withReason('Unauthorized'));
    await writeFile(path.join(folder, 'token'), server.token);
    assert.ok((await pod.list(namespaces)).items.length > 0);
    pod.close();
    await rm(path.join(folder, 'token'));
    await assert.rejects(ServiceAccountAccess.open(realRuntime, env, folder), ClusterAccessError);
  });

  it('logs each warning of the API server once', async () => {
    const lines: string[] = [];
    const logger = createLogger({ runtime: realRuntime, level: 'warn', write: (line) => lines.push(line) });
    const warned = testClient(server, { logger });
    const endpoints: ResourceType = {
      apiVersion: 'v1',
      kind: 'Endpoints',
      plural: 'endpoints',
      isNamespaced: true,
    };
    await warned.list(endpoints);
    await warned.list(endpoints);
    warned.close();
    assert.equal(lines.length, 1);
    assert.match(lines[0] ?? '', /deprecated/);
  });

  it('goes on over a restart of the API server, and is told that a position is too old', async () => {
    const ns = await makeNamespace(client, 'restart');
    const before = await client.list(configMaps, { namespace: ns });
    for (let i = 0; i < 3; i++) await client.create(configMaps, configMap(ns, `c${i}`));
    // It keeps what happened in memory, from its start on.
    await server.restart();
    assert.equal((await client.list(configMaps, { namespace: ns })).items.length, 3);
    const options = { resourceVersion: before.resourceVersion, timeoutMs: 60_000, idleMs: 60_000 };
    const watching = async (): Promise<void> => {
      for await (const _ of client.watch(configMaps, options)) assert.fail('an event of a past that is gone');
    };
    await assert.rejects(watching, (error) => hasReason(error, 'Expired', 'Gone'));
  });
});

/** What answers here is no API server. */
describe('the API client and something else', () => {
  const answers: readonly (readonly [
    what: string,
    status: number,
    headers: Record<string, string>,
    body: string,
    reason: ApiErrorReason,
  ])[] = [
    ['a page of a proxy', 200, {}, '<html>login</html>', 'Malformed'],
    ['a 404 of something else', 404, {}, 'nothing here', 'Unknown'],
    ['a 503 of a load balancer', 503, { 'retry-after': '7' }, 'no backend', 'ServiceUnavailable'],
    ['JSON that is no object', 200, {}, '[]', 'Malformed'],
    ['null', 200, {}, 'null', 'Malformed'],
    ['a status with an unknown reason', 418, {}, '{"kind":"Status","reason":"Teapot","code":418}', 'Unknown'],
  ];
  for (const [what, status, headers, body, reason] of answers) {
    it(`does not take ${what} for an object, nor for its absence`, async (t) => {
      const other = await fakeServer(t, (respond) => respond(status, headers, body));
      await assert.rejects(other.find(configMaps, { namespace: 'a', name: 'b' }), (error) => {
        assert.ok(withReason(reason)(error));
        if (status === 503) assert.equal((error as ApiError).retryAfterMs, 7_000);
        return true;
      });
    });
  }

  it('gives up on an answer that does not come', async (t) => {
    const other = await fakeServer(t, () => {});
    const asking = other.get(configMaps, { namespace: 'a', name: 'b' }, { timeoutMs: 100 });
    await assert.rejects(asking, withReason('NoAnswer'));
  });

  it('says that nobody listens', async (t) => {
    const other = await fakeServer(t, () => {}, { listening: false });
    await assert.rejects(other.get(configMaps, { namespace: 'a', name: 'b' }), withReason('Unreachable'));
  });

  it('waits a minute at most where it is told to wait for longer', async (t) => {
    const other = await fakeServer(t, (respond) => respond(429, { 'retry-after': '86400' }, ''));
    await assert.rejects(other.list(configMaps), (error) => (error as ApiError).retryAfterMs === 60_000);
  });

  it('takes an event that is cut off for a failure, whatever it looks like', async (t) => {
    const event = JSON.stringify({
      type: 'ADDED',
      object: { metadata: { name: 'a', resourceVersion: '5' } },
    });
    const other = await fakeServer(t, (respond) => respond(200, {}, `${event}\n${event}`));
    const seen: KubernetesObject[] = [];
    const watching = async (): Promise<void> => {
      const options = { resourceVersion: '1', timeoutMs: 1_000, idleMs: 1_000 };
      for await (const { type, ...rest } of other.watch(configMaps, options)) {
        if (type !== 'BOOKMARK' && 'object' in rest) seen.push(rest.object);
      }
    };
    await assert.rejects(watching, withReason('Malformed'));
    assert.equal(seen.length, 1);
  });
});

type Respond = (status: number, headers: Record<string, string>, body: string) => void;

async function fakeServer(
  t: TestContext,
  answer: (respond: Respond) => void,
  { listening = true } = {},
): Promise<ApiClient> {
  const server = createServer((_request, response) =>
    answer((status, headers, body) => {
      response.writeHead(status, headers);
      response.end(body);
    }),
  );
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const via = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const close = async (): Promise<void> => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  };
  if (!listening) await close();
  const client = testClient({ url: via, ca: '', token: '' }, { via });
  t.after(async () => {
    client.close();
    if (listening) await close();
  });
  return client;
}

async function serviceAccountFolder(t: TestContext, server: KubeApiServer, token: string): Promise<string> {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'firn-account-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  await writeFile(path.join(folder, 'token'), token);
  await writeFile(path.join(folder, 'ca.crt'), server.ca);
  await writeFile(path.join(folder, 'namespace'), 'streaming');
  return folder;
}
