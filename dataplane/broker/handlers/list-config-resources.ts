import type {
  ListConfigResourcesResponse,
  listConfigResources,
} from '../../protocol/api/list-config-resources.ts';
import { kafkaErrors } from '../../protocol/error-code.ts';
import { configResourceType } from '../admin/config-resource.ts';
import type { ClusterView } from '../cluster-view.ts';
import type { Handler } from '../handler.ts';

type Resource = ListConfigResourcesResponse['configResources'][number];

/** ListConfigResources: what DescribeConfigs can be asked for by name. Version 0 knows subscriptions to metrics only. */
export function listConfigResourcesHandler({
  view,
}: {
  readonly view: ClusterView;
}): Handler<typeof listConfigResources> {
  return ({ resourceTypes }, { apiVersion }) => {
    const all = Object.values<number>(configResourceType);
    if (!resourceTypes.every((type) => all.includes(type)))
      return { throttleTimeMs: 0, errorCode: kafkaErrors.UNSUPPORTED_VERSION.code, configResources: [] };
    // Of subscriptions to metrics there are none, and neither groups nor loggers have configs of their own.
    const asked = new Set(apiVersion === 0 ? [] : resourceTypes.length === 0 ? all : resourceTypes);
    const { state } = view;
    const configResources: Resource[] = [];
    if (asked.has(configResourceType.broker)) {
      for (const id of state?.brokers.keys() ?? [])
        configResources.push({ resourceType: configResourceType.broker, resourceName: String(id) });
    }
    if (asked.has(configResourceType.topic)) {
      for (const name of state?.topics.keys() ?? [])
        configResources.push({ resourceType: configResourceType.topic, resourceName: name });
    }
    return { throttleTimeMs: 0, errorCode: kafkaErrors.NONE.code, configResources };
  };
}
