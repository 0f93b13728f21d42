import { ProtocolError } from './errors.ts';
import type { ProtocolErrorCode } from './errors.ts';
import { fillPath } from './source-text.ts';
import { oversizedVarint } from './wire-reader.ts';

/** What a generated decoder finds wrong. */
export type DecodingProblem =
  'truncated' | 'varint' | 'negative length' | 'long string' | 'null' | 'too few bytes' | 'tagged field size';

interface ProblemText {
  readonly code: ProtocolErrorCode;
  /** `amount`: the length, count or size in question; `left`: how many bytes are left. */
  readonly text: (amount: number, left: number) => string;
}

const problems: Readonly<Record<Exclude<DecodingProblem, 'varint'>, ProblemText>> = {
  truncated: { code: 'TRUNCATED', text: (amount, left) => `${amount} bytes expected, ${left} are left` },
  'negative length': { code: 'INVALID_LENGTH', text: (amount) => `a length of ${amount}` },
  'long string': {
    code: 'INVALID_LENGTH',
    text: (amount) => `a string of ${amount} bytes, 32767 are allowed`,
  },
  null: { code: 'UNEXPECTED_NULL', text: () => 'null, which this version does not allow here' },
  'too few bytes': {
    code: 'TRUNCATED',
    text: (amount, left) => `${amount} elements announced, which ${left} bytes cannot hold`,
  },
  'tagged field size': {
    code: 'TAGGED_FIELD_SIZE',
    text: (amount, left) => `a tagged field of ${amount} bytes whose content leaves ${left} of them`,
  },
};

const varintProblems = {
  truncated: { code: 'TRUNCATED', text: () => 'the bytes end within a variable-length integer' },
  oversized: { code: 'VARINT_TOO_LONG', text: () => 'a variable-length integer beyond 5 bytes or 32 bits' },
} as const satisfies Record<string, ProblemText>;

export type DecodingFailure = (
  problem: DecodingProblem,
  site: number,
  indexes: readonly number[],
  position: number,
  amount: number,
  end: number,
) => ProtocolError;

/** Makes the errors of one generated decoder. For varints `amount` is what the reader returned. */
export function decodingFailures(
  messageName: string,
  version: number,
  sites: readonly string[],
): DecodingFailure {
  return (problem, site, indexes, position, amount, end) => {
    const { code, text } =
      problem === 'varint'
        ? varintProblems[amount === oversizedVarint ? 'oversized' : 'truncated']
        : problems[problem];
    const field = fillPath(sites[site] ?? '', indexes);
    return new ProtocolError(code, { messageName, version, field, position }, text(amount, end - position));
  };
}
