import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { isIP } from 'node:net';
import type { HttpHandler, HttpRequest, HttpResponse } from '../../runtime/http-exchange.ts';
import type { Logger } from '../../runtime/logger.ts';
import { ListenError, describeListenFailure } from '../net/listen-error.ts';

export interface ApiServerOptions {
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
  /** By prefix: `/` and one segment. */
  readonly mounts: Readonly<Record<string, HttpHandler>>;
  readonly logger: Pick<Logger, 'warn'>;
}

const maxBodyBytes = 16 * 1024 * 1024;
/** Request line and headers together. */
const maxHeaderBytes = 16 * 1024;
const requestTimeoutMs = 30_000;
/** Each may hold a body. */
const maxConnections = 200;

/**
 * The HTTP port of a broker that changes things: registry and catalog, each under its prefix. Nobody proves here who they
 * are, so it listens on loopback and nowhere else, and answers only requests that name the host so: a web page whose name
 * points to this machine cannot use the browser to get in. Nor can any other page: what a browser sends for one that is not
 * of this machine is refused before a handler sees it, whatever its method and content type.
 */
export class ApiServer {
  readonly port: number;
  readonly #server: Server;

  private constructor(server: Server, port: number) {
    this.#server = server;
    this.port = port;
  }

  /** @throws ListenError */
  static async listen({ host, port, mounts, logger }: ApiServerOptions): Promise<ApiServer> {
    if (!isLoopback(host)) {
      throw new ListenError(
        `api port: ${host} is not loopback. Registry and catalog have no authentication yet: listen on 127.0.0.1 or ::1`,
      );
    }
    const server = createServer(
      { requestTimeout: requestTimeoutMs, headersTimeout: requestTimeoutMs, maxHeaderSize: maxHeaderBytes },
      (request, response) => {
        exchange(request, response, mounts, logger).catch((error: unknown) => {
          logger.warn('an answer of the api port could not be sent', { error });
          response.destroy();
        });
      },
    );
    server.maxConnections = maxConnections;
    await new Promise<void>((resolve, reject) => {
      server.once('error', (error: NodeJS.ErrnoException) => {
        const why = describeListenFailure(error, host, port);
        reject(new ListenError(`api port: ${why} (--api-port)`, { cause: error }));
      });
      server.listen({ host, port }, resolve);
    });
    const address = server.address();
    return new ApiServer(server, typeof address === 'object' && address !== null ? address.port : port);
  }

  /** Requests that are being answered are cut off. */
  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.#server.closeAllConnections();
    await closed;
  }
}

/** Whether an address, or `localhost`, is of this machine alone. */
export function isLoopback(host: string): boolean {
  if (host === 'localhost') return true;
  return isIP(host) === 4 ? host.startsWith('127.') : host === '::1';
}

async function exchange(
  request: IncomingMessage,
  response: ServerResponse,
  mounts: Readonly<Record<string, HttpHandler>>,
  logger: Pick<Logger, 'warn'>,
): Promise<void> {
  const nobodyWaits = new AbortController();
  response.once('close', () => {
    nobodyWaits.abort(new Error('the client has closed its connection'));
  });
  let answer: HttpResponse;
  try {
    answer = await answerTo(request, mounts, nobodyWaits.signal);
  } catch (error) {
    if (nobodyWaits.signal.aborted) return;
    logger.warn('a request to the api port failed', { method: request.method, url: request.url, error });
    answer = plain(500, error instanceof Error ? error.message : String(error));
  }
  const { status, headers, body } = answer;
  // What is left of a body that was not read would be taken for the next request.
  const ends = request.complete ? {} : { connection: 'close' };
  response.writeHead(status, { ...headers, ...ends, 'content-length': Buffer.byteLength(body) });
  response.end(request.method === 'HEAD' ? undefined : body);
}

async function answerTo(
  request: IncomingMessage,
  mounts: Readonly<Record<string, HttpHandler>>,
  signal: AbortSignal,
): Promise<HttpResponse> {
  const { host = '' } = request.headers;
  if (!isLoopback(hostName(host)))
    return plain(421, `this port answers as localhost or 127.0.0.1 only, not as ${JSON.stringify(host)}`);
  const page = foreignPage(request);
  if (page !== undefined)
    return plain(
      403,
      `this port has no authentication, so web pages of other machines cannot use it: ${page}. Ask it without a browser`,
    );
  const { pathname, search } = splitUrl(request.url ?? '/');
  const prefix = Object.keys(mounts).find((mount) => pathname === mount || pathname.startsWith(`${mount}/`));
  const handler = prefix === undefined ? undefined : mounts[prefix];
  if (prefix === undefined || handler === undefined)
    return plain(
      404,
      `there is no ${pathname} here, only what begins with ${Object.keys(mounts).join(' or ')}`,
    );
  const body = await readBody(request);
  if (body === undefined) return plain(413, `the body has more than ${maxBodyBytes} bytes`);
  const method = request.method === 'HEAD' ? 'GET' : (request.method ?? 'GET');
  const path = pathname.slice(prefix.length);
  const asked: HttpRequest = {
    method,
    path: path === '' ? '/' : path,
    query: new URLSearchParams(search),
    headers: headersOf(request),
    body,
    signal,
  };
  return handler(asked);
}

/**
 * Why a request is one that a browser sends for a web page of another machine. Some of these a browser sends without
 * asking this port first (a POST of plain text, a form, an image), and an answer that the page cannot read has changed
 * things all the same. Clients that are no browsers send neither header.
 *
 * `Origin` (RFC 6454) comes with every POST; `Sec-Fetch-Site` (W3C Fetch Metadata) also with a GET.
 */
function foreignPage({ headers }: IncomingMessage): string | undefined {
  const { origin } = headers;
  if (origin !== undefined && !isLoopbackOrigin(origin)) return `Origin is ${JSON.stringify(origin)}`;
  return headers['sec-fetch-site'] === 'cross-site' ? 'Sec-Fetch-Site is cross-site' : undefined;
}

/** Not `null`, which sandboxed pages and files of this machine send. */
function isLoopbackOrigin(origin: string): boolean {
  const host = /^https?:\/\/(.+)$/.exec(origin)?.[1];
  return host !== undefined && isLoopback(hostName(host));
}

/** @returns undefined when it is too large; the rest is then not read */
async function readBody(request: IncomingMessage): Promise<Uint8Array | undefined> {
  if (Number(request.headers['content-length'] ?? 0) > maxBodyBytes) return undefined;
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  for await (const chunk of request.iterator({ destroyOnReturn: false })) {
    sizeBytes += (chunk as Buffer).length;
    if (sizeBytes > maxBodyBytes) return undefined;
    chunks.push(chunk as Buffer);
  }
  return Buffer.concat(chunks);
}

/** Not through `URL`, which would take apart `..` and encoded characters. */
function splitUrl(url: string): { readonly pathname: string; readonly search: string } {
  const at = url.indexOf('?');
  return at < 0 ? { pathname: url, search: '' } : { pathname: url.slice(0, at), search: url.slice(at + 1) };
}

function headersOf({ headers }: IncomingMessage): Readonly<Record<string, string | undefined>> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name, Array.isArray(value) ? value.join(', ') : value]),
  );
}

/** The host of a Host header or an origin, without port and brackets. */
function hostName(host: string): string {
  const bracketed = /^\[([^\]]*)\](?::\d+)?$/.exec(host);
  return bracketed?.[1] ?? host.replace(/:\d+$/, '');
}

function plain(status: number, sentence: string): HttpResponse {
  return { status, headers: { 'content-type': 'text/plain; charset=utf-8' }, body: `${sentence}\n` };
}
