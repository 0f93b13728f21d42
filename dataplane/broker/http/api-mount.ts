import type { HttpHandler, HttpRequest, HttpResponse } from '../../runtime/http-exchange.ts';

/** What the api port serves below a prefix. */
export interface ApiMount {
  readonly handle: HttpHandler;
  /** What its clients understand when they are not let in (401), or cannot be checked now (503). */
  readonly refuse: (status: 401 | 503, sentence: string) => HttpResponse;
  /** Where clients ask for a bearer token before they have one. Only where there are tokens. */
  readonly tokens?: TokenEndpoint;
}

export interface TokenEndpoint {
  /** Below the prefix. */
  readonly path: string;
  /** @param nameOfToken see `ApiCredentials.nameOfToken` */
  readonly handle: (
    request: HttpRequest,
    nameOfToken: (token: string, name?: string) => string | undefined,
  ) => HttpResponse;
}

/** By prefix: `/` and one segment. */
export type ApiMounts = Readonly<Record<string, ApiMount>>;
