import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { realRuntime } from '../../dataplane/runtime/real-runtime.ts';
import { silentLogger } from '../../dataplane/runtime/logger.ts';
import type { Logger } from '../../dataplane/runtime/logger.ts';
import { ApiClient } from '../../operator/api-client.ts';
import type { ClusterAccess, Credentials } from '../../operator/cluster-access.ts';
import type { KubernetesObject, ResourceType } from '../../operator/kubernetes-object.ts';
import { OperatorMetrics } from '../../operator/metrics.ts';
import type { KubeApiServer } from '../tools/kube-api-server.ts';

export interface TestClientOptions {
  /** Another address for the same API server, over plain HTTP: a fault proxy's. */
  readonly via?: string | undefined;
  /** Default `admin`. */
  readonly token?: string | undefined;
  readonly metrics?: OperatorMetrics | undefined;
  readonly logger?: Logger | undefined;
  readonly timeoutMs?: number | undefined;
}

/** A client of a test's API server. */
export function testClient(
  server: Pick<KubeApiServer, 'url' | 'ca' | 'token'>,
  options: TestClientOptions = {},
): ApiClient {
  const { via, token = server.token, metrics = new OperatorMetrics(), logger = silentLogger } = options;
  const agent =
    via === undefined
      ? new HttpsAgent({ keepAlive: true, ca: server.ca })
      : new HttpAgent({ keepAlive: true });
  return new ApiClient({
    access: new FixedAccess(new URL(via ?? server.url), {
      headers: { authorization: `Bearer ${token}` },
      agent,
    }),
    runtime: realRuntime,
    logger,
    metrics,
    userAgent: 'firn-test',
    timeoutMs: options.timeoutMs,
  });
}

class FixedAccess implements ClusterAccess {
  readonly server: URL;
  readonly namespace = 'default';
  readonly #credentials: Credentials;

  constructor(server: URL, credentials: Credentials) {
    this.server = server;
    this.#credentials = credentials;
  }

  credentials(): Promise<Credentials> {
    return Promise.resolve(this.#credentials);
  }

  refused(): void {}

  close(): void {
    this.#credentials.agent.destroy();
  }
}

export interface ConfigMap extends KubernetesObject {
  readonly apiVersion: 'v1';
  readonly kind: 'ConfigMap';
  readonly data?: Readonly<Record<string, string>> | undefined;
}

export const configMaps: ResourceType<ConfigMap> = {
  apiVersion: 'v1',
  kind: 'ConfigMap',
  plural: 'configmaps',
  isNamespaced: true,
};

export const namespaces: ResourceType = {
  apiVersion: 'v1',
  kind: 'Namespace',
  plural: 'namespaces',
  isNamespaced: false,
};

export function configMap(namespace: string, name: string, data: Record<string, string> = {}): ConfigMap {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { namespace, name }, data };
}

/** A namespace of its own, so that tests of one server do not meet. */
export async function makeNamespace(client: ApiClient, name: string): Promise<string> {
  await client.create(namespaces, { apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
  return name;
}
