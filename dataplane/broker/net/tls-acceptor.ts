import type { Socket } from 'node:net';
import { createServer } from 'node:tls';
import { inBackground } from '../../runtime/in-background.ts';
import type { Acceptor } from './acceptor.ts';
import type { ByteStream } from './byte-stream.ts';
import { listenTcp } from './tcp-acceptor.ts';
import type { TcpListenerOptions, Upgrade } from './tcp-acceptor.ts';
import { TcpStream } from './tcp-stream.ts';
import type { TlsCredentials } from './tls-credentials.ts';

const handshakeMs = 5_000;
/** Handshakes at a time: more, and the oldest is given up. Each costs some 100 KB. */
const maxHandshakes = 64;

/**
 * Listens as `listenTcp` does, and hands over connections whose other end has proved who it is. Nothing else of a connection
 * is looked at before that.
 *
 * @throws ListenError
 */
export async function listenTls(
  options: TcpListenerOptions,
  credentials: TlsCredentials,
): Promise<Acceptor & { readonly port: number }> {
  return await listenTcp(options, tlsUpgrade(credentials));
}

interface Handshake {
  readonly socket: Socket;
  readonly take: (stream: ByteStream) => void;
  /** Of OpenSSL, for who looks for the reason. */
  problem?: string | undefined;
}

function tlsUpgrade(credentials: TlsCredentials): Upgrade {
  /** By remote port and address, oldest first. */
  const handshakes = new Map<string, Handshake>();
  const end = (secure: Pick<Socket, 'remoteAddress' | 'remotePort'>): Handshake | undefined => {
    const handshake = handshakes.get(nameOf(secure));
    handshakes.delete(nameOf(secure));
    return handshake;
  };
  const server = createServer({ ...credentials.server, handshakeTimeout: handshakeMs }, (secure) => {
    // Before anybody listens to it: a reset must not end the process.
    secure.on('error', () => undefined);
    const handshake = end(secure);
    if (handshake === undefined) secure.destroy();
    else handshake.take(new TcpStream(secure));
  });
  server.on('tlsClientError', (error: NodeJS.ErrnoException, secure) => {
    const handshake = handshakes.get(nameOf(secure));
    if (handshake !== undefined) handshake.problem = error.code ?? error.message;
  });
  const begin = async (handshake: Handshake): Promise<void> => {
    if (await credentials.refresh()) server.setSecureContext(credentials.server);
    if (!handshake.socket.destroyed) server.emit('connection', handshake.socket);
  };
  return (socket, take, refused) => {
    const [oldest] = handshakes.values();
    if (oldest !== undefined && handshakes.size >= maxHandshakes) oldest.socket.destroy();
    const name = nameOf(socket);
    const from = socket.remoteAddress ?? 'unknown';
    const handshake: Handshake = { socket, take };
    handshakes.set(name, handshake);
    socket.once('close', () => {
      // It has ended before its time, whoever ended it.
      if (handshakes.get(name) !== handshake) return;
      handshakes.delete(name);
      const { problem = 'it went away' } = handshake;
      refused(from, `it did not prove that it is a broker of this cluster (${problem})`);
    });
    inBackground(begin(handshake));
  };
}

function nameOf({ remoteAddress, remotePort }: Pick<Socket, 'remoteAddress' | 'remotePort'>): string {
  return `${remoteAddress}:${remotePort}`;
}
