import type { Decoded, Fields, Input } from './field.ts';
import { defineMessage } from './message.ts';
import type { DecodedOf, InputOf, Message } from './message.ts';
import { parseVersionRange } from './version-range.ts';
import type { VersionRange, VersionRangeText } from './version-range.ts';

export interface ApiDeclaration<Name extends string, Request extends Fields, Response extends Fields> {
  /** Kafka's number of the API. */
  readonly key: number;
  readonly name: Name;
  /** The stable versions that a broker of Kafka 4.3 serves. */
  readonly versions: VersionRangeText;
  readonly flexible: VersionRangeText;
  readonly request: Request;
  readonly response: Response;
}

/** One API: its request and its response, which always have the same version. */
export interface Api<Name extends string, Req, ReqInput, Res, ResInput> {
  readonly key: number;
  readonly name: Name;
  readonly versions: VersionRange;
  readonly flexibleVersions: VersionRange;
  readonly request: Message<Req, ReqInput>;
  readonly response: Message<Res, ResInput>;
}

export type AnyApi = Api<string, unknown, never, unknown, never>;

/** A decoded request: every field is there; what the version lacks has its default. */
export type RequestOf<A extends AnyApi> = DecodedOf<A['request']>;
/** A decoded response: as for requests. */
export type ResponseOf<A extends AnyApi> = DecodedOf<A['response']>;
/** A request to encode: what has a default, or is not in every version, may be left out. A decoded one will do. */
export type RequestInput<A extends AnyApi> = InputOf<A['request']>;
/** A response to encode: as for requests. */
export type ResponseInput<A extends AnyApi> = InputOf<A['response']>;

export function defineApi<const Name extends string, const Req extends Fields, const Res extends Fields>(
  declaration: ApiDeclaration<Name, Req, Res>,
): Api<Name, Decoded<Req>, Input<Req>, Decoded<Res>, Input<Res>> {
  const { key, name, versions, flexible } = declaration;
  return {
    key,
    name,
    versions: parseVersionRange(versions),
    flexibleVersions: parseVersionRange(flexible),
    request: defineMessage({ name: `${name}Request`, versions, flexible, fields: declaration.request }),
    response: defineMessage({
      name: `${name}Response`,
      versions,
      flexible,
      fields: declaration.response,
      isLenient: true,
    }),
  };
}
