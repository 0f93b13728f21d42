import type { Agent } from 'node:http';
import { KubeConfig } from '@kubernetes/client-node';
import { TlsAgents } from './cluster-access.ts';
import type { ClusterAccess, Credentials, TlsIdentity } from './cluster-access.ts';
import { ClusterAccessError } from './errors.ts';

/** What {@link KubeConfig.applyToHTTPSOptions} fills in. */
interface FilledOptions extends TlsIdentity {
  headers: Record<string, string>;
  agent?: Agent;
  /** `user:password`. */
  auth?: string;
}

/**
 * A kubeconfig with all that one may hold: certificates, tokens, exec plugins, OIDC, proxies. The package reads it and
 * gets the credentials; connections are ours.
 */
export class KubeconfigAccess implements ClusterAccess {
  readonly server: URL;
  readonly namespace: string;
  readonly #config: KubeConfig;
  readonly #agents = new TlsAgents();
  readonly #viaProxy: boolean;

  private constructor(config: KubeConfig) {
    const cluster = config.getCurrentCluster();
    if (cluster === null || config.getCurrentUser() === null) {
      throw new ClusterAccessError(
        `the kubeconfig's current context ${JSON.stringify(config.getCurrentContext())} names no cluster or no user of it: kubectl config use-context`,
      );
    }
    this.server = new URL(cluster.server);
    this.namespace = config.getContextObject(config.getCurrentContext())?.namespace ?? 'default';
    this.#config = config;
    this.#viaProxy = cluster.proxyUrl !== undefined;
  }

  /** @param file default: `$KUBECONFIG`, which may name several files to merge */
  static open(file: string | undefined): KubeconfigAccess {
    const config = new KubeConfig();
    try {
      if (file === undefined) config.loadFromDefault();
      else config.loadFromFile(file);
    } catch (cause) {
      const source = file ?? `KUBECONFIG (${process.env['KUBECONFIG'] ?? ''})`;
      throw new ClusterAccessError(`cannot read the kubeconfig ${source}`, { cause });
    }
    return new KubeconfigAccess(config);
  }

  async credentials(): Promise<Credentials> {
    const options: FilledOptions = { headers: {} };
    try {
      // It runs exec plugins and refreshes OIDC tokens where they have ended.
      await this.#config.applyToHTTPSOptions(options);
    } catch (cause) {
      const user = this.#config.getCurrentUser()?.name;
      throw new ClusterAccessError(`cannot get credentials for the kubeconfig's user ${user}`, { cause });
    }
    const { headers, agent, auth, ca, cert, key, servername, rejectUnauthorized } = options;
    if (auth !== undefined) headers['authorization'] = `Basic ${Buffer.from(auth).toString('base64')}`;
    // Its agents know proxies, but do not keep connections.
    const own = this.#agents.for({ ca, cert, key, servername, rejectUnauthorized });
    return { headers, agent: this.#viaProxy && agent !== undefined ? agent : own };
  }

  /** Nothing to forget: what can end is looked at for each request. */
  refused(): void {}

  close(): void {
    this.#agents.close();
  }
}
