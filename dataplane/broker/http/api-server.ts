import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { HttpRequest, HttpResponse } from '../../runtime/http-exchange.ts';
import type { Logger } from '../../runtime/logger.ts';
import { ListenError, describeListenFailure } from '../net/listen-error.ts';
import type { ApiCredentials } from './api-credentials.ts';
import type { ApiMount, ApiMounts } from './api-mount.ts';
import { foreignPage, hostName, isLoopback } from './web-pages.ts';

/**
 * Who may use the port. `anonymous`: whoever is on this machine, for it listens on loopback alone. `anonymous-anywhere`:
 * whoever reaches it.
 */
export type ApiAccess = ApiCredentials | 'anonymous' | 'anonymous-anywhere';

export interface ApiServerOptions {
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
  readonly mounts: ApiMounts;
  readonly access: ApiAccess;
  readonly logger: Pick<Logger, 'warn'>;
}

const maxBodyBytes = 16 * 1024 * 1024;
/** Of who asks for a token, and has shown nothing yet. */
const maxTokenBodyBytes = 16 * 1024;
/** Request line and headers together. */
const maxHeaderBytes = 16 * 1024;
const requestTimeoutMs = 30_000;
/** Each may hold a body. */
const maxConnections = 200;

/**
 * The HTTP port of a broker that changes things: registry and catalog, each under its prefix.
 *
 * With credentials a request is read only when it proves who sent it. Without them it listens on loopback, and answers only
 * requests that name the host so: a web page whose name points to this machine cannot use the browser to get in. Nor can any
 * other page, with credentials or without: what a browser sends for one that is not of this machine is refused before a
 * handler sees it, whatever its method and content type.
 */
export class ApiServer {
  readonly port: number;
  readonly #server: Server;

  private constructor(server: Server, port: number) {
    this.#server = server;
    this.port = port;
  }

  /** @throws ListenError */
  static async listen(options: ApiServerOptions): Promise<ApiServer> {
    const { host, port, access, logger } = options;
    requireGuarded(host, access);
    const exchanges = new Exchanges(options);
    const server = createServer(
      { requestTimeout: requestTimeoutMs, headersTimeout: requestTimeoutMs, maxHeaderSize: maxHeaderBytes },
      (request, response) => {
        exchanges.answer(request, response).catch((error: unknown) => {
          logger.warn('an answer of the api port could not be sent', { error });
          response.destroy();
        });
      },
    );
    server.maxConnections = maxConnections;
    await new Promise<void>((resolve, reject) => {
      server.once('error', (error: NodeJS.ErrnoException) => {
        const why = describeListenFailure(error, host, port);
        reject(new ListenError(`api port: ${why} (--api-host, --api-port)`, { cause: error }));
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

/** @throws ListenError when whoever reaches the address could use the port, and nobody said that they may */
export function requireGuarded(host: string, access: ApiAccess): void {
  if (access !== 'anonymous' || isLoopback(host)) return;
  throw new ListenError(
    `api port: whoever reaches ${host} could change schemas and tables. Say who may (--api-auth-file), or that anybody may ` +
      '(--api-anonymous), or listen on 127.0.0.1 or ::1 (--api-host)',
  );
}

/** Answers the requests of one port. */
class Exchanges {
  readonly #options: ApiServerOptions;
  /** `undefined`: nobody is asked who they are. */
  readonly #credentials: ApiCredentials | undefined;

  constructor(options: ApiServerOptions) {
    this.#options = options;
    this.#credentials = typeof options.access === 'string' ? undefined : options.access;
  }

  async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { logger } = this.#options;
    const nobodyWaits = new AbortController();
    response.once('close', () => {
      nobodyWaits.abort(new Error('the client has closed its connection'));
    });
    let answer: HttpResponse;
    try {
      answer = await this.#answerTo(request, nobodyWaits.signal);
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

  async #answerTo(request: IncomingMessage, signal: AbortSignal): Promise<HttpResponse> {
    const { mounts, access } = this.#options;
    const credentials = this.#credentials;
    const { host = '' } = request.headers;
    if (access === 'anonymous' && !isLoopback(hostName(host)))
      return plain(421, `this port answers as localhost or 127.0.0.1 only, not as ${JSON.stringify(host)}`);
    const page = foreignPage(request.headers, credentials !== undefined);
    if (page !== undefined)
      return plain(
        403,
        `web pages of other machines cannot use this port: ${page}. Ask it without a browser`,
      );
    const { pathname, search } = splitUrl(request.url ?? '/');
    const prefix = Object.keys(mounts).find((one) => pathname === one || pathname.startsWith(`${one}/`));
    const mount = prefix === undefined ? undefined : mounts[prefix];
    if (prefix === undefined || mount === undefined)
      return plain(
        404,
        `there is no ${pathname} here, only what begins with ${Object.keys(mounts).join(' or ')}`,
      );
    const path = pathname.slice(prefix.length);
    const tokens = credentials !== undefined && path === mount.tokens?.path ? mount.tokens : undefined;
    if (credentials !== undefined && tokens === undefined) {
      // Before the body is read: it is held in memory.
      const refusal = await refusalOf(credentials, mount, request.headers.authorization);
      if (refusal !== undefined) return refusal;
    }
    const limit = tokens === undefined ? maxBodyBytes : maxTokenBodyBytes;
    const body = await readBody(request, limit);
    if (body === undefined) return plain(413, `the body has more than ${limit} bytes`);
    const asked: HttpRequest = {
      method: request.method === 'HEAD' ? 'GET' : (request.method ?? 'GET'),
      path: path === '' ? '/' : path,
      query: new URLSearchParams(search),
      headers: headersOf(request),
      body,
      signal,
    };
    if (credentials !== undefined && tokens !== undefined)
      return tokens.handle(asked, (token, name) => credentials.nameOfToken(token, name));
    return mount.handle(asked);
  }
}

/** `undefined`: whoever it is may. */
async function refusalOf(
  credentials: ApiCredentials,
  mount: ApiMount,
  authorization: string | undefined,
): Promise<HttpResponse | undefined> {
  const verdict = await credentials.whoIs(authorization);
  switch (verdict.kind) {
    case 'known':
      return undefined;
    case 'unknown': {
      const refusal = mount.refuse(401, verdict.why);
      return { ...refusal, headers: { ...refusal.headers, 'www-authenticate': credentials.challenge } };
    }
    case 'busy': {
      const refusal = mount.refuse(503, 'many passwords are being checked: try again in a moment');
      return { ...refusal, headers: { ...refusal.headers, 'retry-after': '1' } };
    }
  }
}

/** @returns undefined when it is too large; the rest is then not read */
async function readBody(request: IncomingMessage, maxBytes: number): Promise<Uint8Array | undefined> {
  if (Number(request.headers['content-length'] ?? 0) > maxBytes) return undefined;
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  for await (const chunk of request.iterator({ destroyOnReturn: false })) {
    sizeBytes += (chunk as Buffer).length;
    if (sizeBytes > maxBytes) return undefined;
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

function plain(status: number, sentence: string): HttpResponse {
  return { status, headers: { 'content-type': 'text/plain; charset=utf-8' }, body: `${sentence}\n` };
}
