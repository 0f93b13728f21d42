import type { ClusterClient } from '../../cluster/cluster-client.ts';
import type { ClusterState } from '../../cluster/cluster-state.ts';
import { isTopicName } from '../../cluster/topic-changes.ts';
import type { ResponseInput } from '../../protocol/api.ts';
import type { DescribeConfigsRequest, describeConfigs } from '../../protocol/api/describe-configs.ts';
import { kafkaErrors } from '../../protocol/error-code.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import { configResourceType, parseConfigResource } from '../admin/config-resource.ts';
import { told } from '../admin/refusal-codes.ts';
import { describedBrokerConfigs, describedGroupConfigs } from '../config/broker-configs.ts';
import type { BrokerSettings } from '../config/broker-configs.ts';
import {
  configSource,
  describedClientMetrics,
  describedClusterConfigs,
  describedSingleBrokerConfigs,
  describedTopicConfigs,
} from '../config/described-config.ts';
import type { DescribedConfig } from '../config/described-config.ts';
import type { Handler } from '../handler.ts';
import type { ToldError } from '../log-error-codes.ts';
import { stateKnowing } from '../metadata/known-topics.ts';
import { refuseNotBuilt } from '../not-built.ts';

type ResourceResponse = ResponseInput<typeof describeConfigs>['results'][number];
type ResourceRequest = DescribeConfigsRequest['resources'][number];

interface Dependencies {
  readonly cluster: ClusterClient;
  readonly runtime: Runtime;
  readonly settings: BrokerSettings;
}

/** DescribeConfigs: topics, the cluster (a broker without a name), this broker, groups and subscriptions to metrics. */
export function describeConfigsHandler({
  cluster,
  runtime,
  settings,
}: Dependencies): Handler<typeof describeConfigs> {
  return async (request) => {
    const topics = request.resources
      .filter(({ resourceType }) => resourceType === configResourceType.topic)
      .map(({ resourceName }) => resourceName);
    const state = await stateKnowing({ cluster, runtime }, (known) =>
      topics.every((name) => !isTopicName(name) || known.topics.has(name)),
    );
    return {
      throttleTimeMs: 0,
      results: request.resources.map((resource) =>
        answer(resource, describe(state, settings, resource), request),
      ),
    };
  };
}

function describe(
  state: ClusterState,
  settings: BrokerSettings,
  { resourceType, resourceName }: ResourceRequest,
): readonly DescribedConfig[] | ToldError {
  const resource = parseConfigResource(resourceType, resourceName);
  if ('code' in resource) return resource;
  switch (resource.kind) {
    case 'topic': {
      const { name } = resource;
      if (!isTopicName(name))
        return told('INVALID_TOPIC_EXCEPTION', `${JSON.stringify(name)} is no topic name`);
      const topic = state.topics.get(name);
      if (topic === undefined) return told('UNKNOWN_TOPIC_OR_PARTITION', `there is no topic ${name}`);
      return describedTopicConfigs(topic.configs, state.configs, topic.homeZone);
    }
    case 'cluster':
      return describedClusterConfigs(state).filter(
        ({ source }) => source === configSource.dynamicDefaultBroker,
      );
    case 'broker':
      if (resource.id !== settings.id) {
        return told(
          'INVALID_REQUEST',
          `this is broker ${settings.id}: ask broker ${resource.id} itself for its configs`,
        );
      }
      return [
        ...describedBrokerConfigs(settings),
        ...describedSingleBrokerConfigs(state.brokers.get(resource.id) ?? {}),
        ...describedClusterConfigs(state),
      ];
    case 'group':
      return describedGroupConfigs(settings);
    case 'clientMetrics':
      return describedClientMetrics();
    case 'brokerLogger':
      return refuseNotBuilt('brokerLoggers');
  }
}

function answer(
  { resourceType, resourceName, configurationKeys }: ResourceRequest,
  described: readonly DescribedConfig[] | ToldError,
  { includeSynonyms, includeDocumentation }: DescribeConfigsRequest,
): ResourceResponse {
  if ('code' in described) {
    const { code, message } = described;
    return { errorCode: code, errorMessage: message, resourceType, resourceName, configs: [] };
  }
  const keys =
    configurationKeys === null || configurationKeys.length === 0 ? undefined : new Set(configurationKeys);
  return {
    errorCode: kafkaErrors.NONE.code,
    errorMessage: null,
    resourceType,
    resourceName,
    configs: described
      .filter(({ name }) => keys?.has(name) ?? true)
      .map(({ name, value, readOnly, source, type, documentation, synonyms }) => ({
        name,
        value,
        readOnly,
        configSource: source,
        isSensitive: false,
        synonyms: includeSynonyms ? synonyms : [],
        configType: type,
        documentation: includeDocumentation ? documentation : null,
      })),
  };
}
