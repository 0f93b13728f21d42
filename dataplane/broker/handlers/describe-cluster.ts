import type { describeCluster } from '../../protocol/api/describe-cluster.ts';
import { kafkaErrors } from '../../protocol/error-code.ts';
import type { KafkaErrorName } from '../../protocol/error-code.ts';
import type { ResponseInput } from '../../protocol/api.ts';
import type { ClientZones } from '../client-zone.ts';
import type { ClusterView } from '../cluster-view.ts';
import type { Handler } from '../handler.ts';
import { clusterOperations, operationsNotAsked } from '../metadata/authorized-operations.ts';
import { clusterMetadata } from '../metadata/cluster-metadata.ts';

/** Kafka's numbers of what the client thinks it talks to. */
const endpointType = { brokers: 1, controllers: 2 } as const;

interface Dependencies {
  readonly view: ClusterView;
  readonly brokerId: number;
  readonly clientZones: ClientZones;
}

/** DescribeCluster. There are no controllers: every broker does what one would. */
export function describeClusterHandler({
  view,
  brokerId,
  clientZones,
}: Dependencies): Handler<typeof describeCluster> {
  return (request, context) => {
    const { state } = view;
    if (request.endpointType !== endpointType.brokers) {
      return request.endpointType === endpointType.controllers
        ? failed('MISMATCHED_ENDPOINT_TYPE', 'this is a broker: there are no controllers to bootstrap from')
        : failed('UNSUPPORTED_ENDPOINT_TYPE', `${request.endpointType} is no type of endpoint`);
    }
    if (state === undefined)
      return failed('COORDINATOR_NOT_AVAILABLE', 'this broker has not read the cluster state yet');
    const told = clusterMetadata(state, context.connection.listener);
    const zone = clientZones.of(context);
    const dead = request.includeFencedBrokers ? told.deadBrokers : [];
    return {
      throttleTimeMs: 0,
      errorCode: kafkaErrors.NONE.code,
      endpointType: request.endpointType,
      clusterId: state.clusterId,
      controllerId: told.controllerFor(zone, brokerId),
      brokers: [
        ...told.brokersFrom(zone).map((broker) => ({ ...broker, brokerId: broker.nodeId, isFenced: false })),
        ...dead.map((broker) => ({ ...broker, brokerId: broker.nodeId, isFenced: true })),
      ],
      clusterAuthorizedOperations: request.includeClusterAuthorizedOperations
        ? clusterOperations
        : operationsNotAsked,
    };
  };
}

function failed(error: KafkaErrorName, errorMessage: string): ResponseInput<typeof describeCluster> {
  return {
    throttleTimeMs: 0,
    errorCode: kafkaErrors[error].code,
    errorMessage,
    clusterId: '',
    brokers: [],
  };
}
