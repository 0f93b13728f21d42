import type { ToldError } from '../log-error-codes.ts';
import { told } from './refusal-codes.ts';

/** Kafka's numbers of what has configs. */
export const configResourceType = {
  topic: 2,
  broker: 4,
  brokerLogger: 8,
  clientMetrics: 16,
  group: 32,
} as const;

export type ConfigResource =
  | { readonly kind: 'topic'; readonly name: string }
  /** All brokers: Kafka's "cluster-wide default". */
  | { readonly kind: 'cluster' }
  | { readonly kind: 'broker'; readonly id: number }
  | { readonly kind: 'brokerLogger' }
  | { readonly kind: 'clientMetrics' | 'group'; readonly name: string };

export function parseConfigResource(type: number, name: string): ConfigResource | ToldError {
  switch (type) {
    case configResourceType.topic:
      return named('topic', 'a topic', name);
    case configResourceType.broker:
      if (name === '') return { kind: 'cluster' };
      return /^\d{1,10}$/.test(name)
        ? { kind: 'broker', id: Number(name) }
        : told('INVALID_REQUEST', `${JSON.stringify(name)} is no broker id: a whole number is expected`);
    case configResourceType.brokerLogger:
      return { kind: 'brokerLogger' };
    case configResourceType.clientMetrics:
      return named('clientMetrics', 'a subscription to metrics', name);
    case configResourceType.group:
      return named('group', 'a group', name);
    default:
      return told('INVALID_REQUEST', `${type} is no type of resource that has configs`);
  }
}

function named(
  kind: 'topic' | 'clientMetrics' | 'group',
  what: string,
  name: string,
): ConfigResource | ToldError {
  return name === '' ? told('INVALID_REQUEST', `the name of ${what} must not be empty`) : { kind, name };
}
