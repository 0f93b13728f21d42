import { cordonedConfig } from '../broker-config-changes.ts';
import type { ConfigTable, KafkaConfigEntry } from './kafka-config.ts';

/** Settings of one broker. All can be changed while it runs, and while it does not. */
export const singleBrokerConfigTable = {
  [cordonedConfig]: {
    type: 'bool',
    default: false,
    effect: 'applied',
    description:
      "Firn's own. Whether the broker is to own nothing: it gets no partitions while any other broker can have them, and those it has go elsewhere, a few at a time. Belongs to the id of the broker: a restart does not change it.",
  },
} as const satisfies ConfigTable;

export function singleBrokerConfigEntry(name: string): KafkaConfigEntry | undefined {
  const table: ConfigTable = singleBrokerConfigTable;
  return Object.hasOwn(table, name) ? table[name] : undefined;
}
