/**
 * One HTTP request and its answer, without the server: what the registry and the catalog serve is a function of these
 * (`HttpHandler`), so that it runs in the simulator and in tests without sockets. `dataplane/broker/http/api-server.ts`
 * serves them over `node:http`.
 */
export interface HttpRequest {
  /** Upper case. HEAD is asked as GET: the server leaves out the body. */
  readonly method: string;
  /**
   * Below the prefix the handler is mounted at; begins with `/`. Still percent-encoded, because a segment may hold an
   * encoded slash: {@link pathSegments} takes it apart.
   */
  readonly path: string;
  readonly query: URLSearchParams;
  /** By lower-case name; values of a name that came several times are joined with `, `. */
  readonly headers: Readonly<Record<string, string | undefined>>;
  /** Empty when there was none. */
  readonly body: Uint8Array;
  /** Aborts when nobody waits for the answer any more. */
  readonly signal: AbortSignal;
}

export interface HttpResponse {
  readonly status: number;
  /** By lower-case name. `content-length` is the server's. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | Uint8Array;
}

/** Rejects only for what the caller could not help: it is logged and answered 500. */
export type HttpHandler = (request: HttpRequest) => Promise<HttpResponse>;

/** An answer that is JSON. */
export function jsonResponse(status: number, value: unknown, contentType = 'application/json'): HttpResponse {
  return { status, headers: { 'content-type': contentType }, body: JSON.stringify(value) };
}

/**
 * The decoded segments of a path, without empty ones: `/a/b%2Fc/` is `['a', 'b/c']`. `undefined`: its percent-encoding is
 * broken.
 */
export function pathSegments(path: string): readonly string[] | undefined {
  try {
    return path
      .split('/')
      .filter((segment) => segment !== '')
      .map((segment) => decodeURIComponent(segment));
  } catch (error) {
    if (error instanceof URIError) return undefined;
    throw error;
  }
}
