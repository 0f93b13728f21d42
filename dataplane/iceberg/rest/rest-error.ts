import type { HttpResponse } from '../../runtime/http-exchange.ts';
import { CatalogError, FormatError } from '../errors.ts';
import type { CatalogErrorCode } from '../errors.ts';
import { printJson } from '../json/lossless-json.ts';

/** Stands for the request in errors about its body. */
export const requestSource = 'request';

/** A body of a content type that is not taken. */
export class UnsupportedMediaType extends Error {
  override readonly name = 'UnsupportedMediaType';
}

interface ErrorModel {
  readonly status: number;
  /** Names of the reference implementation's exceptions: clients go by them, or by the status. */
  readonly type: string;
}

/**
 * Clients take 500, 502 and 504 after a commit for "its state is unknown": they are the answer to nothing else. 503 says
 * that nothing was changed.
 */
const models: Readonly<Record<CatalogErrorCode, ErrorModel>> = {
  CONFLICT: { status: 409, type: 'CommitFailedException' },
  UNKNOWN_OUTCOME: { status: 500, type: 'CommitStateUnknownException' },
  UNAVAILABLE: { status: 503, type: 'ServiceUnavailableException' },
  REFUSED: { status: 400, type: 'BadRequestException' },
  UNSUPPORTED: { status: 406, type: 'UnsupportedOperationException' },
  NO_SUCH_NAMESPACE: { status: 404, type: 'NoSuchNamespaceException' },
  NO_SUCH_TABLE: { status: 404, type: 'NoSuchTableException' },
  ALREADY_EXISTS: { status: 409, type: 'AlreadyExistsException' },
  NAMESPACE_NOT_EMPTY: { status: 409, type: 'NamespaceNotEmptyException' },
};

/** REST catalog, `IcebergErrorResponse`; rethrows what is neither the client's nor the catalog's doing. */
export function errorResponse(error: unknown): HttpResponse {
  if (error instanceof CatalogError) {
    return errorBody(models[error.code], error.message);
  }
  if (error instanceof UnsupportedMediaType)
    return errorBody({ status: 415, type: 'UnsupportedMediaTypeException' }, error.message);
  if (error instanceof FormatError) {
    if (error.code === 'UNSUPPORTED') return errorBody(models.UNSUPPORTED, error.message);
    if (error.source === requestSource) return errorBody(models.REFUSED, error.message);
    // The table's own files: no repetition will help, and nothing was changed.
    return errorBody({ status: 422, type: 'UnprocessableEntityException' }, error.message);
  }
  throw error;
}

export function errorBody({ status, type }: ErrorModel, message: string): HttpResponse {
  return {
    status,
    headers: { 'content-type': 'application/json' },
    body: printJson({ error: { message, type, code: status } }),
  };
}
