import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { splitAddress } from '../node-endpoints.ts';
import { DialError } from './dialer.ts';
import type { Dialer } from './dialer.ts';
import { TcpStream } from './tcp-stream.ts';

/** Connects over TCP, in plain text. */
export const tcpDialer: Dialer = {
  dial: async (address, signal) => {
    const { host, port } = splitAddress(address);
    return new TcpStream(
      await connected(address, () => connect({ host, port, noDelay: true }), 'connect', signal),
    );
  },
};

/**
 * A socket when it has said that it is ready.
 *
 * @throws DialError
 */
export async function connected<S extends Socket>(
  address: string,
  open: () => S,
  ready: 'connect' | 'secureConnect',
  signal: AbortSignal,
): Promise<S> {
  const socket = open();
  return await new Promise((resolve, reject) => {
    const onAbort = (): void => {
      socket.destroy();
      reject(new DialError('unreachable', `nobody answers at ${address}`, { cause: signal.reason }));
    };
    if (signal.aborted) {
      onAbort();
      return;
    }
    signal.addEventListener('abort', onAbort, { once: true });
    const settled = (): void => {
      signal.removeEventListener('abort', onAbort);
    };
    socket.once(ready, () => {
      settled();
      socket.pause();
      resolve(socket);
    });
    // Stays: a reset that comes before somebody listens must not end the process.
    socket.on('error', (error: NodeJS.ErrnoException) => {
      settled();
      reject(dialErrorOf(address, error));
    });
    socket.once('close', () => {
      settled();
      reject(new DialError('rejected', `${address} closed the connection at once`));
    });
  });
}

function dialErrorOf(address: string, error: NodeJS.ErrnoException): DialError {
  const { code = '', message } = error;
  if (code === 'ECONNREFUSED')
    return new DialError('refused', `no process listens at ${address}`, { cause: error });
  const isNetwork = /^E(HOST|NET)UNREACH$|^ETIMEDOUT$|^EAI_|^ENOTFOUND$/.test(code);
  return new DialError(isNetwork ? 'unreachable' : 'rejected', `${address}: ${message}`, { cause: error });
}
