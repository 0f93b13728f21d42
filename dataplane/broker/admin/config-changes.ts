import { presentBrokerConfigs, setBrokerConfigs } from '../../cluster/broker-config-changes.ts';
import { ChangeRefused } from '../../cluster/change-refused.ts';
import { setClusterConfigs } from '../../cluster/cluster-config-changes.ts';
import type { ClusterState, Configs } from '../../cluster/cluster-state.ts';
import { configEntry } from '../../cluster/config/config-check.ts';
import type { ConfigScope } from '../../cluster/config/config-check.ts';
import type { ConfigChange } from '../../cluster/config/config-operations.ts';
import { setTopicConfigs, unknownTopic } from '../../cluster/topic-changes.ts';
import { kafkaErrors } from '../../protocol/error-code.ts';
import { isBrokerConfig } from '../config/broker-configs.ts';
import { presentClusterConfigs } from '../config/described-config.ts';
import type { ToldError } from '../log-error-codes.ts';
import { refuseNotBuilt } from '../not-built.ts';
import type { ClusterChanges } from './cluster-changes.ts';
import { parseConfigResource } from './config-resource.ts';
import type { ConfigResource } from './config-resource.ts';
import { internalProblem } from './internal-topics.ts';
import { told } from './refusal-codes.ts';
import { repeated } from './repeated.ts';

/** How long a change of configs is waited for: the requests have no field for it. Kafka's default of clients. */
const timeoutMs = 30_000;

/** Computes what a request comes to from what is set now. */
export type ConfigChanger = (
  scope: ConfigScope,
  present: Configs,
  cluster: Configs,
) => ConfigChange | ChangeRefused;

/** What is asked of one resource. */
export interface ResourceChange {
  readonly change: ConfigChanger;
  /** Names of the configs that get a value. */
  readonly sets: readonly string[];
  /** Whether they make a topic a table. */
  readonly makesTable: boolean;
}

/** Says why a topic cannot be a table; `undefined`: it can, as far as is known. */
export type WhyNoTable = (topic: string) => Promise<string | undefined>;

/** As requests name what they change, and responses what was changed. */
export interface NamedResource {
  readonly resourceType: number;
  readonly resourceName: string;
}

interface AcceptedChange {
  readonly target: Exclude<ConfigResource, { readonly kind: 'brokerLogger' | 'clientMetrics' | 'group' }>;
  readonly change: ConfigChanger;
}

/** Changes the configs of resources, each as a whole or not at all, and answers for each. */
export async function alterResources<Resource extends NamedResource>(
  changes: ClusterChanges,
  resources: readonly Resource[],
  parse: (resource: Resource) => ResourceChange | ToldError,
  validateOnly: boolean,
  whyNoTable: WhyNoTable,
): Promise<(NamedResource & { readonly errorCode: number; readonly errorMessage: string | null })[]> {
  const twice = repeated(resources.map((resource) => keyOf(resource)));
  const parsed = await Promise.all(
    resources.map(async (resource) => {
      if (twice.has(keyOf(resource)))
        return told('INVALID_REQUEST', `the request names ${resource.resourceName} more than once`);
      const change = parse(resource);
      if (!('change' in change)) return change;
      const made = accepted(resource, change);
      if (made === undefined || !('target' in made) || made.target.kind !== 'topic' || !change.makesTable)
        return made;
      const why = await whyNoTable(made.target.name);
      return why === undefined ? made : told('INVALID_CONFIG', why);
    }),
  );
  const made = parsed.filter((change) => change !== undefined && 'change' in change);
  const outcomes = await changes.each(made, changedState, { timeoutMs, validateOnly });
  const failures = new Map(made.map((change, index) => [change, outcomes[index]]));
  return resources.map(({ resourceType, resourceName }, index) => {
    const change = parsed[index];
    const failure = change !== undefined && 'change' in change ? failures.get(change) : change;
    return {
      errorCode: failure?.code ?? kafkaErrors.NONE.code,
      errorMessage: failure?.message ?? null,
      resourceType,
      resourceName,
    };
  });
}

function keyOf({ resourceType, resourceName }: NamedResource): string {
  return `${resourceType}/${resourceName}`;
}

/** `undefined`: nothing is to be done, and nothing is wrong. */
function accepted(
  { resourceType, resourceName }: NamedResource,
  { change, sets }: ResourceChange,
): AcceptedChange | ToldError | undefined {
  const resource = parseConfigResource(resourceType, resourceName);
  if ('code' in resource) return resource;
  switch (resource.kind) {
    case 'topic':
      return { target: resource, change };
    case 'cluster': {
      const fixed = sets.find((name) => isBrokerConfig(name));
      if (fixed === undefined) return { target: resource, change };
      return told(
        'INVALID_REQUEST',
        `${fixed} cannot be changed while brokers run: it is what they were started with`,
      );
    }
    case 'broker':
      // Tools remove throttles that were never set.
      return sets.every((name) => configEntry('broker', name) !== undefined)
        ? { target: resource, change }
        : refuseNotBuilt('brokerSettings');
    case 'brokerLogger':
      return refuseNotBuilt('brokerLoggers');
    case 'clientMetrics':
      return sets.length === 0 ? undefined : refuseNotBuilt('clientMetrics');
    case 'group':
      return sets.length === 0 ? undefined : refuseNotBuilt('groupConfigs');
  }
}

function changedState(state: ClusterState, { target, change }: AcceptedChange): ClusterState | ChangeRefused {
  if (target.kind === 'cluster') {
    const computed = change('cluster', presentClusterConfigs(state), state.configs);
    return computed instanceof ChangeRefused ? computed : setClusterConfigs(state, computed);
  }
  if (target.kind === 'broker') {
    const { id } = target;
    const computed = change('broker', presentBrokerConfigs(state.brokers.get(id) ?? {}), state.configs);
    return computed instanceof ChangeRefused ? computed : setBrokerConfigs(state, { id, ...computed });
  }
  const { name } = target;
  const topic = state.topics.get(name);
  if (topic === undefined) return unknownTopic(name);
  const computed =
    internalProblem(name, topic, 'configured') ?? change('topic', topic.configs, state.configs);
  return computed instanceof ChangeRefused ? computed : setTopicConfigs(state, { topic: name, ...computed });
}
