import { createServer } from 'node:net';
import type { Server, Socket } from 'node:net';
import type { Acceptor } from './acceptor.ts';
import type { ByteStream } from './byte-stream.ts';
import { ListenError, describeListenFailure } from './listen-error.ts';
import { TcpStream } from './tcp-stream.ts';

export interface TcpListenerOptions {
  readonly name: string;
  /** The address to listen on; `0.0.0.0` or `::` for all. */
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
  /** What clients are told instead of `host` and `port`, where they reach the broker by another address. */
  readonly advertisedHost?: string | undefined;
  readonly advertisedPort?: number | undefined;
  /** As of {@link Acceptor}. */
  readonly zone?: string | undefined;
}

/** Makes a stream of what a listener has accepted; tells `refused` when it does not. */
export type Upgrade = (
  socket: Socket,
  take: (stream: ByteStream) => void,
  refused: (remoteAddress: string, why: string) => void,
) => void;

/** Connections wait here until the broker can serve them. */
const maxWaiting = 1_000;

/**
 * Listens; connections are accepted at once and wait until {@link Acceptor.accept}.
 *
 * @param upgrade default: plain text
 * @throws ListenError
 */
export async function listenTcp(
  options: TcpListenerOptions,
  upgrade: Upgrade = plainText,
): Promise<Acceptor & { readonly port: number }> {
  const waiting: Socket[] = [];
  let onConnection: ((socket: Socket) => void) | undefined;
  const server = createServer({ pauseOnConnect: true, noDelay: true }, (socket) => {
    // Before anybody listens to it: a reset must not end the process.
    socket.on('error', () => undefined);
    if (onConnection !== undefined) onConnection(socket);
    else if (waiting.length < maxWaiting) waiting.push(socket);
    else socket.destroy();
  });
  const port = await listening(server, options);
  const host = options.advertisedHost ?? (isWildcard(options.host) ? 'localhost' : options.host);
  return {
    name: options.name,
    zone: options.zone,
    port,
    advertised: `${host.includes(':') ? `[${host}]` : host}:${options.advertisedPort ?? port}`,
    accept(take, refused = () => undefined) {
      onConnection = (socket) => {
        if (!socket.destroyed) upgrade(socket, take, refused);
      };
      for (const socket of waiting.splice(0)) onConnection(socket);
    },
    close() {
      for (const socket of waiting.splice(0)) socket.destroy();
      onConnection = (socket) => {
        socket.destroy();
      };
      // Its callback comes when the last connection has ended; the port is given back at once.
      server.close();
      return Promise.resolve();
    },
  };
}

const plainText: Upgrade = (socket, take) => {
  take(new TcpStream(socket));
};

/** All addresses of the machine. */
export function isWildcard(host: string): boolean {
  return host === '0.0.0.0' || host === '::' || host === '';
}

async function listening(server: Server, { host, port, name }: TcpListenerOptions): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      reject(
        new ListenError(`listener ${name}: ${describeListenFailure(error, host, port)}`, { cause: error }),
      );
    });
    server.listen({ host, port, backlog: 1_024 }, resolve);
  });
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : port;
}
