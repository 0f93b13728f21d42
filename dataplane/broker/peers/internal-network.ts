import type { Runtime } from '../../runtime/runtime.ts';
import { isLoopback } from '../http/web-pages.ts';
import type { Acceptor } from '../net/acceptor.ts';
import { CertificateCredentials } from '../net/certificate-credentials.ts';
import type { CertificateFiles } from '../net/certificate-credentials.ts';
import type { Dialer } from '../net/dialer.ts';
import { ListenError } from '../net/listen-error.ts';
import { SecretCredentials } from '../net/secret-credentials.ts';
import { isWildcard, listenTcp } from '../net/tcp-acceptor.ts';
import { tcpDialer } from '../net/tcp-dialer.ts';
import { listenTls } from '../net/tls-acceptor.ts';
import { TlsCredentialsError } from '../net/tls-credentials.ts';
import type { TlsCredentials } from '../net/tls-credentials.ts';
import { tlsDialer } from '../net/tls-dialer.ts';
import type { PeerLinkTimings } from './peer-link.ts';

/** How brokers reach each other. */
export interface InternalNetwork {
  /** Its advertised address is this broker's in `meta/cluster`. */
  readonly acceptor: Acceptor;
  readonly dialer: Dialer;
  /** Tests only. */
  readonly timings?: PeerLinkTimings | undefined;
}

/** How brokers prove to each other that they are brokers of one cluster: all have the same secret, or certificates. */
export type InternalSecurity =
  /** A file with the cluster's secret, 32 bytes at least, on its first line. */
  { readonly secretFile: string } | CertificateFiles;

export interface InternalListenerOptions {
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
  /** Where other brokers reach this one, when not by `host`: needed where that is all addresses of the machine. */
  readonly advertisedHost?: string | undefined;
  /** Without it: plain text, and whoever connects is taken for a broker, so only loopback is listened on. */
  readonly security?: InternalSecurity | undefined;
}

/**
 * Listens for other brokers.
 *
 * @param onProblem files have changed and cannot be used
 * @throws ListenError also when the secret or the certificate cannot be used
 */
export async function openInternalNetwork(
  { security, ...listener }: InternalListenerOptions,
  runtime: Runtime,
  onProblem: (what: string, error: unknown) => void,
): Promise<InternalNetwork> {
  const options = { name: 'internal', ...listener };
  if (security === undefined) {
    if (!isLoopback(listener.host)) {
      throw new ListenError(
        `listener internal: ${listener.host} is not loopback, and without a secret or certificates whoever reaches it would ` +
          'be taken for a broker: set one of them, the same at all brokers',
      );
    }
    return { acceptor: await listenTcp(options), dialer: tcpDialer };
  }
  if (isWildcard(listener.host) && listener.advertisedHost === undefined) {
    throw new ListenError(
      `listener internal: ${listener.host} is all addresses of this machine: say by which of them other brokers reach it`,
    );
  }
  const credentials = await openCredentials(security, runtime, onProblem);
  return { acceptor: await listenTls(options, credentials), dialer: tlsDialer(credentials) };
}

async function openCredentials(
  security: InternalSecurity,
  runtime: Runtime,
  onProblem: (what: string, error: unknown) => void,
): Promise<TlsCredentials> {
  try {
    return 'secretFile' in security
      ? await SecretCredentials.open(security.secretFile, runtime, onProblem)
      : await CertificateCredentials.open(security, runtime, onProblem);
  } catch (error) {
    if (!(error instanceof TlsCredentialsError)) throw error;
    throw new ListenError(`listener internal: ${error.message}`, { cause: error });
  }
}
