import { HttpFailure } from './http-failure.ts';

/** Lower-case names; the values of a repeated header are joined by `, `. Has no prototype. */
export type ResponseHeaders = Readonly<Record<string, string>>;

/** How the end of a response body is known (RFC 9112 section 6.3). */
export type BodyFraming =
  | { readonly kind: 'none' }
  | { readonly kind: 'sized'; readonly sizeBytes: number }
  | { readonly kind: 'chunked' }
  /** Ends when the server closes: a cut cannot be told from the end. */
  | { readonly kind: 'until-close' };

export interface ResponseHead {
  readonly status: number;
  readonly headers: ResponseHeaders;
  readonly framing: BodyFraming;
  /** The server will take another request on this connection... */
  readonly keepAlive: boolean;
  /** ...if it comes within this time (`Keep-Alive: timeout=`), where the server said so. */
  readonly keepAliveMs: number | undefined;
}

/**
 * Parses the head of a response to a `method` request: status line and header lines, up to and without the empty line.
 *
 *     HTTP/1.1 SP status [SP reason] CRLF
 *     *( name ":" OWS value OWS CRLF )
 */
export function parseResponseHead(text: string, method: string): ResponseHead {
  const lineEnd = endOfLine(text, 0);
  const statusLine = /^HTTP\/1\.([01]) ([1-5][0-9][0-9])(?: |$)/.exec(text.slice(0, lineEnd));
  if (statusLine === null) throw malformed(`the status line is ${quote(text.slice(0, lineEnd))}`);
  const status = Number(statusLine[2]);
  const headers = parseHeaderLines(text, lineEnd + 2);
  const connection = headers['connection']?.toLowerCase() ?? '';
  const framing = framingOf(status, method, headers);
  return {
    status,
    headers,
    framing,
    keepAlive:
      framing.kind !== 'until-close' &&
      // With both headers the two ends may disagree on where the body ends: not a connection to reuse.
      !(headers['transfer-encoding'] !== undefined && headers['content-length'] !== undefined) &&
      (statusLine[1] === '1' ? !hasToken(connection, 'close') : hasToken(connection, 'keep-alive')),
    keepAliveMs: keepAliveMs(headers['keep-alive']),
  };
}

function parseHeaderLines(text: string, from: number): ResponseHeaders {
  const headers: Record<string, string> = Object.create(null) as Record<string, string>;
  for (let at = from; at < text.length;) {
    const end = endOfLine(text, at);
    const colon = text.indexOf(':', at);
    if (colon <= at || colon > end || isBlank(text.charCodeAt(at)) || isBlank(text.charCodeAt(colon - 1)))
      throw malformed(`a header line is ${quote(text.slice(at, end))}`);
    const name = text.slice(at, colon).toLowerCase();
    const value = text.slice(colon + 1, end).trim();
    const before = headers[name];
    headers[name] = before === undefined ? value : `${before}, ${value}`;
    at = end + 2;
  }
  return headers;
}

function framingOf(status: number, method: string, headers: ResponseHeaders): BodyFraming {
  if (method === 'HEAD' || status < 200 || status === 204 || status === 304) return { kind: 'none' };
  const coding = headers['transfer-encoding'];
  if (coding !== undefined) {
    if (coding.toLowerCase() === 'chunked') return { kind: 'chunked' };
    throw malformed(`the transfer coding is ${quote(coding)}, which was not asked for`);
  }
  const length = headers['content-length'];
  if (length === undefined) return { kind: 'until-close' };
  // A list of different lengths ("5, 6") fails here too.
  if (!/^[0-9]{1,15}$/.test(length)) throw malformed(`the content length is ${quote(length)}`);
  return { kind: 'sized', sizeBytes: Number(length) };
}

function keepAliveMs(header: string | undefined): number | undefined {
  const seconds = header === undefined ? undefined : /(?:^|[,\s])timeout=([0-9]{1,9})/i.exec(header)?.[1];
  return seconds === undefined ? undefined : Number(seconds) * 1000;
}

function endOfLine(text: string, from: number): number {
  const end = text.indexOf('\r\n', from);
  return end === -1 ? text.length : end;
}

function hasToken(list: string, token: string): boolean {
  return list !== '' && list.split(',').some((item) => item.trim() === token);
}

function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x09;
}

function quote(text: string): string {
  return JSON.stringify(text.length > 100 ? `${text.slice(0, 100)}…` : text);
}

function malformed(what: string): HttpFailure {
  return new HttpFailure('malformed', `the answer is not valid HTTP/1.1: ${what}`);
}
