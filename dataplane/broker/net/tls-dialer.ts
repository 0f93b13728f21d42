import { connect } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { splitAddress } from '../node-endpoints.ts';
import { DialError } from './dialer.ts';
import type { Dialer } from './dialer.ts';
import { connected } from './tcp-dialer.ts';
import { TcpStream } from './tcp-stream.ts';
import type { TlsCredentials } from './tls-credentials.ts';

/** Connects over TLS; both ends have proved who they are, or there is no connection. */
export function tlsDialer(credentials: TlsCredentials): Dialer {
  return {
    dial: async (address, signal) => {
      const { host, port } = splitAddress(address);
      await credentials.refresh();
      const socket = await connected(
        address,
        () => connect({ host, port, noDelay: true }),
        'connect',
        signal,
      );
      try {
        const secure = await connected(
          address,
          () => connectTls({ ...credentials.client, socket }),
          'secureConnect',
          signal,
        );
        return new TcpStream(secure);
      } catch (error) {
        socket.destroy();
        if (!(error instanceof DialError) || error.reason !== 'rejected') throw error;
        throw new DialError(
          'rejected',
          `${address} and this broker do not trust each other: both need the same secret, or certificates of the same ` +
            `authority (${codeOf(error.cause) ?? error.message})`,
          { cause: error },
        );
      }
    },
  };
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error ? String(error.code) : undefined;
}
