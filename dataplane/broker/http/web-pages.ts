import type { IncomingHttpHeaders } from 'node:http';
import { isIP } from 'node:net';

/** Whether an address, or `localhost`, is of this machine alone. */
export function isLoopback(host: string): boolean {
  if (host === 'localhost') return true;
  return isIP(host) === 4 ? host.startsWith('127.') : host === '::1';
}

/** The host of a Host header or an origin, without port and brackets. */
export function hostName(host: string): string {
  const bracketed = /^\[([^\]]*)\](?::\d+)?$/.exec(host);
  return bracketed?.[1] ?? host.replace(/:\d+$/, '');
}

/**
 * Why a request is one that a browser sends for a web page of another machine; `undefined`: it is none. Some of these a
 * browser sends without asking this port first (a POST of plain text, a form, an image), and an answer that the page cannot
 * read has changed things all the same. Clients that are no browsers send neither header.
 *
 * `Origin` (RFC 6454) comes with every POST; `Sec-Fetch-Site` (W3C Fetch Metadata) also with a GET.
 *
 * @param ownPages whether pages of the host that is asked may: not where their name may point here without our doing
 */
export function foreignPage(headers: IncomingHttpHeaders, ownPages: boolean): string | undefined {
  const { origin, host } = headers;
  if (origin !== undefined) {
    const page = /^https?:\/\/(.+)$/.exec(origin)?.[1];
    const isOurs = page !== undefined && (isLoopback(hostName(page)) || (ownPages && page === host));
    // `null` is none of ours: sandboxed pages and files of this machine send it.
    if (!isOurs) return `Origin is ${JSON.stringify(origin)}`;
  }
  return headers['sec-fetch-site'] === 'cross-site' ? 'Sec-Fetch-Site is cross-site' : undefined;
}
