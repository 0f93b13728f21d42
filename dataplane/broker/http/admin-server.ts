import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AdminPages } from './admin-pages.ts';
import { ListenError, describeListenFailure } from '../net/listen-error.ts';

interface Answer {
  readonly code: number;
  readonly contentType: string;
  readonly text: string;
}

/**
 * The read-only HTTP port of a broker: `/metrics`, `/healthz`, `/readyz`, `/status`. It has no authentication, so it
 * listens on loopback unless told otherwise.
 */
export class AdminServer {
  readonly port: number;
  readonly #server: Server;

  private constructor(server: Server, port: number) {
    this.#server = server;
    this.port = port;
  }

  /** @throws ListenError */
  static async listen(
    { host, port }: { readonly host: string; readonly port: number },
    pages: AdminPages,
  ): Promise<AdminServer> {
    const server = createServer({ requestTimeout: 10_000, maxHeaderSize: 16_384 }, (request, response) => {
      answer(request, pages).then(
        (what) => {
          respond(response, what, request.method === 'HEAD');
        },
        (error: unknown) => {
          const text = `${error instanceof Error ? error.message : String(error)}\n`;
          respond(response, { code: 500, contentType: 'text/plain; charset=utf-8', text }, false);
        },
      );
    });
    await new Promise<void>((resolve, reject) => {
      server.once('error', (error: NodeJS.ErrnoException) => {
        const why = describeListenFailure(error, host, port);
        reject(new ListenError(`admin port: ${why}`, { cause: error }));
      });
      server.listen({ host, port }, resolve);
    });
    const address = server.address();
    return new AdminServer(server, typeof address === 'object' && address !== null ? address.port : port);
  }

  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.#server.closeAllConnections();
    await closed;
  }
}

async function answer(request: IncomingMessage, pages: AdminPages): Promise<Answer> {
  if (request.method !== 'GET' && request.method !== 'HEAD')
    return plain(405, `${request.method ?? ''} is not possible here: this port only reads\n`);
  const path = (request.url ?? '/').split('?', 1)[0];
  switch (path) {
    case '/metrics': {
      const { text, contentType } = await pages.metrics();
      return { code: 200, contentType, text };
    }
    case '/healthz': {
      const why = pages.unhealthy();
      return why === undefined ? plain(200, 'ok\n') : plain(503, `${why}\n`);
    }
    case '/readyz': {
      const why = pages.unready();
      return why === undefined ? plain(200, 'ok\n') : plain(503, `${why}\n`);
    }
    case '/status':
      return {
        code: 200,
        contentType: 'application/json; charset=utf-8',
        text: `${JSON.stringify(pages.status(), undefined, 2)}\n`,
      };
    default:
      return plain(404, `there is no ${path ?? ''}, only /metrics, /healthz, /readyz and /status\n`);
  }
}

function plain(code: number, text: string): Answer {
  return { code, contentType: 'text/plain; charset=utf-8', text };
}

function respond(response: ServerResponse, { code, contentType, text }: Answer, isHead: boolean): void {
  response.writeHead(code, { 'content-type': contentType, 'content-length': Buffer.byteLength(text) });
  response.end(isHead ? undefined : text);
}
