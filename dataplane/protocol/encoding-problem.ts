import { ProtocolError } from './errors.ts';
import { fillPath } from './source-text.ts';

export type EncodingFailure = (
  problem: 'value' | 'version',
  site: number,
  indexes: readonly number[],
  value: unknown,
) => ProtocolError;

/** Makes the errors of one generated encoder. */
export function encodingFailures(
  messageName: string,
  version: number,
  sites: readonly string[],
  expected: ReadonlyMap<number, string>,
): EncodingFailure {
  return (problem, site, indexes, value) => {
    const place = { messageName, version, field: fillPath(sites[site] ?? '', indexes) };
    return problem === 'value'
      ? new ProtocolError('INVALID_VALUE', place, `${show(value)} is not ${expected.get(site) ?? 'allowed'}`)
      : new ProtocolError(
          'FIELD_NOT_IN_VERSION',
          place,
          `${show(value)} cannot be sent: this version lacks the field; leave it out or use a version that has it`,
        );
  };
}

function show(value: unknown): string {
  switch (typeof value) {
    case 'string':
      return value.length > 50 ? `a string of ${value.length} characters` : JSON.stringify(value);
    case 'number':
    case 'boolean':
    case 'bigint':
    case 'undefined':
      return String(value);
    default:
      if (value === null) return 'null';
      if (Array.isArray(value)) return `an array of ${value.length}`;
      return value instanceof Uint8Array ? `${value.length} bytes` : `a value of type ${typeof value}`;
  }
}
