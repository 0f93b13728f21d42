import { constants } from 'node:crypto';
import { createSecureContext } from 'node:tls';
import type { ConnectionOptions, SecureContextOptions, TlsOptions } from 'node:tls';
import type { Runtime } from '../../runtime/runtime.ts';
import { TlsCredentialsError } from './tls-credentials.ts';
import type { TlsCredentials } from './tls-credentials.ts';
import { WatchedFiles } from './watched-files.ts';

export interface CertificateFiles {
  /** PEM: the broker's certificate, and intermediate ones after it. */
  readonly certFile: string;
  readonly keyFile: string;
  /** PEM: whose certificates are trusted, and nobody else's. */
  readonly caFile: string;
}

const versions = {
  minVersion: 'TLSv1.3',
  maxVersion: 'TLSv1.3',
  // A session that is resumed would prove a certificate of before.
  secureOptions: constants.SSL_OP_NO_TICKET,
} as const;

/**
 * Both ends have a certificate of the same authority (mutual TLS 1.3), which issues them to brokers of this cluster alone:
 * whoever has one is taken for a broker. Names in them are not looked at, since brokers are reached by addresses that change;
 * the hello says which broker it is.
 */
export class CertificateCredentials implements TlsCredentials {
  readonly #files: WatchedFiles;
  readonly #onProblem: (what: string, error: unknown) => void;
  #context: SecureContextOptions;

  private constructor(
    files: WatchedFiles,
    context: SecureContextOptions,
    onProblem: (what: string, error: unknown) => void,
  ) {
    this.#files = files;
    this.#context = context;
    this.#onProblem = onProblem;
  }

  /** @throws TlsCredentialsError */
  static async open(
    { certFile, keyFile, caFile }: CertificateFiles,
    runtime: Pick<Runtime, 'monotonicMs'>,
    onProblem: (what: string, error: unknown) => void,
  ): Promise<CertificateCredentials> {
    const files = new WatchedFiles([certFile, keyFile, caFile], runtime);
    try {
      return new CertificateCredentials(files, contextOf(await files.changed()), onProblem);
    } catch (error) {
      throw new TlsCredentialsError(
        `the certificate of the internal listener cannot be used (${certFile}, ${keyFile}, ${caFile}): ${messageOf(error)}`,
        { cause: error },
      );
    }
  }

  get server(): TlsOptions {
    return { ...versions, ...this.#context, requestCert: true, rejectUnauthorized: true };
  }

  get client(): ConnectionOptions {
    return { ...versions, ...this.#context, rejectUnauthorized: true, checkServerIdentity: () => undefined };
  }

  async refresh(): Promise<boolean> {
    try {
      const contents = await this.#files.changed();
      if (contents === undefined) return false;
      this.#context = contextOf(contents);
      return true;
    } catch (error) {
      // Certificate and key may be changed one after the other: the next look finds both.
      this.#onProblem(
        'the new certificate of the internal listener cannot be used, the old one still is',
        error,
      );
      return false;
    }
  }
}

/** @throws when they do not fit together */
function contextOf(contents: readonly Buffer[] | undefined): SecureContextOptions {
  const [cert, key, ca] = contents ?? [];
  if (cert === undefined || key === undefined || ca === undefined || ca.length === 0)
    throw new TlsCredentialsError('a file is empty');
  const context = { cert, key, ca };
  createSecureContext(context);
  return context;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
