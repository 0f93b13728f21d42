/** A server for tests that answers byte for byte what its script says, at any moment of a request. */
import { once } from 'node:events';
import net from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import tls from 'node:tls';
import { realRuntime } from '../../../runtime/real-runtime.ts';
import { sleep } from '../../../runtime/runtime.ts';

export interface SeenRequest {
  readonly method: string;
  /** Path and query. */
  readonly target: string;
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string>>;
  /** As far as it has come: all of it for a script that is called at the end of the request. */
  readonly body: Buffer;
  /** Counted from 0. */
  readonly connection: number;
}

export type Script = (request: SeenRequest, socket: Socket) => void;

export interface ScriptedServerOptions {
  /** Called when a request is complete. */
  readonly onRequest: Script;
  /** Called as soon as a request's head is there. */
  readonly onHead?: Script | undefined;
  readonly tls?: { readonly key: string; readonly cert: string } | undefined;
  /** Default 127.0.0.1. */
  readonly host?: string | undefined;
}

export interface ScriptedServer {
  readonly port: number;
  /** `http://127.0.0.1:port` */
  readonly endpoint: string;
  /** The complete ones, in the order in which they were completed. */
  readonly requests: readonly SeenRequest[];
  /** All connections ever accepted. */
  readonly sockets: readonly Socket[];
  /** Connections still open. */
  openCount(): number;
  stop(): Promise<void>;
}

export async function startScriptedServer(options: ScriptedServerOptions): Promise<ScriptedServer> {
  const requests: SeenRequest[] = [];
  const sockets: Socket[] = [];
  const open = new Set<Socket>();
  const accept = (socket: Socket): void => {
    const connection = sockets.push(socket) - 1;
    open.add(socket);
    socket.on('close', () => open.delete(socket));
    // Clients break connections here on purpose.
    socket.on('error', () => undefined);
    readRequests(socket, connection, options, requests);
  };
  const server = options.tls ? tls.createServer(options.tls, accept) : net.createServer(accept);
  const host = options.host ?? '127.0.0.1';
  server.listen(0, host);
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    port,
    endpoint: `${options.tls ? 'https' : 'http'}://${net.isIPv6(host) ? `[${host}]` : host}:${port}`,
    requests,
    sockets,
    openCount: () => open.size,
    async stop() {
      for (const socket of open) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

function readRequests(
  socket: Socket,
  connection: number,
  options: ScriptedServerOptions,
  requests: SeenRequest[],
): void {
  let received = Buffer.alloc(0);
  let head: Omit<SeenRequest, 'body'> | undefined;
  socket.on('data', (piece: Buffer) => {
    received = Buffer.concat([received, piece]);
    for (;;) {
      if (head === undefined) {
        const end = received.indexOf('\r\n\r\n');
        if (end === -1) return;
        head = { ...parseHead(received.toString('latin1', 0, end)), connection };
        received = received.subarray(end + 4);
        options.onHead?.({ ...head, body: received }, socket);
      }
      const bodyBytes = Number(head.headers['content-length'] ?? 0);
      if (received.length < bodyBytes || socket.destroyed) return;
      const request = { ...head, body: received.subarray(0, bodyBytes) };
      received = received.subarray(bodyBytes);
      head = undefined;
      requests.push(request);
      options.onRequest(request, socket);
    }
  });
}

function parseHead(text: string): Pick<SeenRequest, 'method' | 'target' | 'headers'> {
  const [requestLine = '', ...headerLines] = text.split('\r\n');
  const [method = '', target = ''] = requestLine.split(' ');
  const headers = Object.fromEntries(
    headerLines.map((line) => {
      const colon = line.indexOf(':');
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
    }),
  );
  return { method, target, headers };
}

/** Waits until `condition` holds; a test that waits too long is ended by its runner. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await sleep(realRuntime, 1);
}

/** A key pair for tests and nothing else, made for `localhost`, 127.0.0.1 and ::1, valid from 2020 to 2120. */
export const testTls = {
  key: `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgaVAiSpHZoyp0R0sW
8DkaxWm8FmMznyC+AOUU9ponaH6hRANCAATyMZFiHjBZMQcZgKeiCu5CKnlHWhEK
yvzDk6GayVf95e+dpx9pEnqiFs01P3TOcDU0yFVNezb2ryGrNppoAo/r
-----END PRIVATE KEY-----
`,
  cert: `-----BEGIN CERTIFICATE-----
MIIBgjCCASmgAwIBAgIBATAKBggqhkjOPQQDAjAZMRcwFQYDVQQDDA5GaXJuIHRl
c3Qgb25seTAgFw0yMDAxMDEwMDAwMDBaGA8yMTIwMDEwMTAwMDAwMFowGTEXMBUG
A1UEAwwORmlybiB0ZXN0IG9ubHkwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAATy
MZFiHjBZMQcZgKeiCu5CKnlHWhEKyvzDk6GayVf95e+dpx9pEnqiFs01P3TOcDU0
yFVNezb2ryGrNppoAo/ro2AwXjAPBgNVHRMBAf8EBTADAQH/MCwGA1UdEQQlMCOC
CWxvY2FsaG9zdIcEfwAAAYcQAAAAAAAAAAAAAAAAAAAAATAdBgNVHQ4EFgQUV3Ik
k/mt7gBfzlPBWelKgASDwRkwCgYIKoZIzj0EAwIDRwAwRAIgCRgyr/zo3xIyEuZp
nHKGrgpLg9GzGUzF+2oTmZwfIn0CIEFPEAfMWzc2uaAwSYY8eXjIejRgj50u9kdc
dnh42Mel
-----END CERTIFICATE-----
`,
};
