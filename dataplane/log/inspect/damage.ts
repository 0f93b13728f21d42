import { corruptAdvice, LogFormatError } from '../format/errors.ts';
import { parseKey } from '../format/keys.ts';
import type { ParsedKey } from '../format/keys.ts';
import type { FindingSink } from './finding.ts';

/** What it means for the data when an object cannot be read. */
const meanings: Readonly<Record<ParsedKey['kind'], string>> = {
  cluster: 'nobody can tell who owns what: brokers that run go on, none can start, no group can move',
  'pid-block': 'no record is affected, but brokers cannot give out producer ids to new producers',
  probe: 'no record is affected; brokers probe the store again',
  session: 'no record is affected; it only tells people whose session this was',
  slot: 'its records that are not in segments yet are lost unless there is a copy, and no broker can take over groups that need this slot',
  checkpoint:
    'no record is affected, but a broker that takes this session over cannot go on before the checkpoint is gone',
  trim: 'no record is affected, but the session cannot be taken over, and its owner frees no more space',
  manifest: 'all records of this partition group are out of reach: no broker can serve it',
  page: 'the records in the segments it lists are out of reach, though their objects may exist',
  snapshot:
    'no record is lost, but the next owner of this group cannot start without the state of its producers',
  segment:
    'its records are lost unless there is a copy of the object; readers get an error when they come to them',
};

/** Reports an object that could not be decoded. */
export function reportDamage(findings: FindingSink, key: string, error: Error): void {
  const message = error.message.startsWith(`${key}: `) ? error.message.slice(key.length + 2) : error.message;
  // A finding has advice of its own, and who reads it has run `firn log verify` already.
  const advice = message.length - corruptAdvice.length;
  const what = message.endsWith(corruptAdvice) ? message.slice(0, advice).replace(/[:;] $/, '') : message;
  if (error instanceof LogFormatError && error.code === 'FUTURE_VERSION') {
    findings.add('FUTURE_VERSION', key, what);
    return;
  }
  const kind = parseKey(key)?.kind;
  const meaning = kind === undefined ? undefined : meanings[kind];
  findings.add('UNREADABLE', key, what, meaning);
}
