import { formatDefault } from '../../runtime/config-entry.ts';
import { ChangeRefused } from '../change-refused.ts';
import type { Configs } from '../cluster-state.ts';
import { checkedConfigs, configEntry } from './config-check.ts';
import type { ConfigScope } from './config-check.ts';
import type { KafkaConfigEntry } from './kafka-config.ts';
import { canonicalConfigName } from './table-configs.ts';
import { topicConfigEntry } from './topic-configs.ts';

/** One change of one config (KIP-339). `append` and `subtract` add and remove items of a list. */
export type ConfigOperation =
  | { readonly name: string; readonly kind: 'delete' }
  | { readonly name: string; readonly kind: 'set' | 'append' | 'subtract'; readonly value: string };

export interface ConfigChange {
  readonly set: Configs;
  readonly remove: readonly string[];
}

/**
 * What the operations come to, given what is set now. Removing a config that is not set, or that nobody knows, is no
 * mistake.
 *
 * @param cluster the cluster's configs: lists of topics begin with what stands there
 */
export function configChangeOf(
  scope: ConfigScope,
  operations: readonly ConfigOperation[],
  present: Configs,
  cluster: Configs,
): ConfigChange | ChangeRefused {
  const set = new Map<string, string>();
  const remove: string[] = [];
  for (const operation of operations) {
    const name = scope === 'topic' ? canonicalConfigName(operation.name) : operation.name;
    if (operation.kind === 'delete') {
      remove.push(name);
      continue;
    }
    if (operation.kind === 'set') {
      // Under the name that was given: two names of one config may come with different values.
      set.set(operation.name, operation.value);
      continue;
    }
    const entry = configEntry(scope, name);
    if (entry !== undefined && entry.type !== 'list') {
      return new ChangeRefused(
        'INVALID_CONFIG',
        `${name} is no list: nothing can be ${operation.kind === 'append' ? 'appended to' : 'subtracted from'} it; set it`,
      );
    }
    const items = itemsOf(present[name] ?? fallback(name, entry, cluster));
    const named = itemsOf(operation.value);
    const next =
      operation.kind === 'append' ? [...items, ...named] : items.filter((item) => !named.includes(item));
    set.set(name, next.join(','));
  }
  const checked = checkedConfigs(scope, Object.fromEntries(set));
  return checked instanceof ChangeRefused ? checked : { set: checked, remove };
}

/** Sets exactly these configs: all others are removed. */
export function replacingConfigs(
  scope: ConfigScope,
  given: Configs,
  present: Configs,
): ConfigChange | ChangeRefused {
  const set = checkedConfigs(scope, given);
  if (set instanceof ChangeRefused) return set;
  return { set, remove: Object.keys(present).filter((name) => !Object.hasOwn(set, name)) };
}

function fallback(name: string, entry: KafkaConfigEntry | undefined, cluster: Configs): string {
  const clusterDefault = topicConfigEntry(name)?.clusterDefault;
  const ofCluster = clusterDefault === undefined ? undefined : cluster[clusterDefault];
  return ofCluster ?? (entry === undefined ? '' : (formatDefault(entry) ?? ''));
}

function itemsOf(text: string): string[] {
  return text
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '');
}
