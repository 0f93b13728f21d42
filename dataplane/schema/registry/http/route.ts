import type { HttpRequest } from '../../../runtime/http-exchange.ts';
import type { Registry } from '../registry.ts';
import type { RegistrySchema } from '../registry-schema.ts';

/**
 * Asked before a schema becomes a version of a subject: why it must not, as a sentence (answered 422, code 42201);
 * `undefined`: it may. It is for those who know which subjects belong to tables; it may take its time.
 */
export type CheckRegistration = (
  subject: string,
  schema: RegistrySchema,
  signal: AbortSignal,
) => Promise<string | undefined>;

export interface RouteContext {
  readonly registry: Registry;
  readonly checkRegistration: CheckRegistration;
}

/** A JSON value, or a text that is one already. */
export type RouteAnswer = { readonly json: unknown } | { readonly text: string };

/** @param variables what the `*` of the path stood for, in order */
export type RouteHandler = (
  context: RouteContext,
  request: HttpRequest,
  variables: readonly string[],
) => Promise<RouteAnswer>;

export interface Route {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** Segments of the path, with slashes; `*` stands for any one. */
  readonly path: string;
  readonly handle: RouteHandler;
}

export function get(path: string, handle: RouteHandler): Route {
  return { method: 'GET', path, handle };
}

export function matchPath(path: string, segments: readonly string[]): readonly string[] | undefined {
  const wanted = path.split('/').filter((segment) => segment !== '');
  if (wanted.length !== segments.length) return undefined;
  const fits = wanted.every((segment, index) => segment === '*' || segment === segments[index]);
  return fits ? segments.filter((_, index) => wanted[index] === '*') : undefined;
}
