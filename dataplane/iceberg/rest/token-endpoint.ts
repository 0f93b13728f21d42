import type { HttpRequest, HttpResponse } from '../../runtime/http-exchange.ts';
import { errorBody } from './rest-error.ts';

/** `getToken` of the REST catalog, below where the catalog is mounted. */
export const tokenEndpointPath = '/v1/oauth/tokens';

const accessToken = 'urn:ietf:params:oauth:token-type:access_token';

/**
 * Gives a client the token that it has: `credential=NAME:TOKEN` of an engine becomes a bearer token (RFC 6749 4.4), and a token
 * that a client takes for old is exchanged for itself (RFC 8693). So nothing has to be remembered, and any broker may be
 * asked next. Tokens end when they are taken out of the broker's file.
 *
 * @param nameOfToken whose token it is, if it is of the one that is named
 */
export function tokenEndpoint(
  { method, headers, body }: HttpRequest,
  nameOfToken: (token: string, name?: string) => string | undefined,
): HttpResponse {
  if (method !== 'POST')
    return errorBody({ status: 405, type: 'MethodNotAllowedException' }, `${method}: no such method`);
  const form = new URLSearchParams(Buffer.from(body).toString('utf8'));
  switch (form.get('grant_type')) {
    case 'client_credentials': {
      const { id, secret } = clientOf(headers['authorization'], form);
      if (secret === undefined) return refused(400, 'invalid_request', 'client_secret is missing');
      if (nameOfToken(secret, id) === undefined)
        return refused(
          401,
          'invalid_client',
          'the credential is none of NAME:TOKEN; users with a password are let in by Basic alone',
        );
      return granted(secret);
    }
    case 'urn:ietf:params:oauth:grant-type:token-exchange': {
      const token = form.get('subject_token') ?? '';
      return nameOfToken(token) === undefined
        ? refused(401, 'invalid_client', 'subject_token is no token of this catalog')
        : granted(token);
    }
    default:
      return refused(
        400,
        'unsupported_grant_type',
        `grant_type is ${JSON.stringify(form.get('grant_type'))}, but must be client_credentials or token exchange`,
      );
  }
}

/** In the form, or as Basic, which Java's client uses for an exchange. */
function clientOf(
  authorization: string | undefined,
  form: URLSearchParams,
): { readonly id: string | undefined; readonly secret: string | undefined } {
  const secret = form.get('client_secret');
  if (secret !== null) return { id: form.get('client_id') || undefined, secret };
  const [, encoded] = /^Basic +(\S+)$/i.exec(authorization ?? '') ?? [];
  if (encoded === undefined) return { id: undefined, secret: undefined };
  const text = Buffer.from(encoded, 'base64').toString('utf8');
  const colon = text.indexOf(':');
  return { id: text.slice(0, Math.max(colon, 0)), secret: text.slice(colon + 1) };
}

function granted(token: string): HttpResponse {
  return answer(200, { access_token: token, token_type: 'bearer', issued_token_type: accessToken });
}

/** `OAuthError`, which is not `IcebergErrorResponse`. */
function refused(status: number, error: string, description: string): HttpResponse {
  return answer(status, { error, error_description: description });
}

function answer(status: number, body: unknown): HttpResponse {
  return {
    status,
    headers: { 'content-type': 'application/json', 'cache-control': 'no-store' },
    body: JSON.stringify(body),
  };
}
