import type { ConnectionOptions, TlsOptions } from 'node:tls';

/** How both ends of a connection prove to each other who they are. */
export interface TlsCredentials {
  /** Of a server; its secure context is another one after a {@link refresh} that says so. */
  readonly server: TlsOptions;
  /** Of a connection that is about to be opened. */
  readonly client: ConnectionOptions;
  /** Call before each connection. True: files have changed, and `server` and `client` with them. Never rejects. */
  refresh(): Promise<boolean>;
}

/** A secret or a certificate cannot be used. Holds no part of what is secret. */
export class TlsCredentialsError extends Error {
  override readonly name = 'TlsCredentialsError';
}
