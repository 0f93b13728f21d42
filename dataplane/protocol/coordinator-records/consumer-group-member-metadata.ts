import { array, bytes, int32, string, struct } from '../field.ts';
import { defineCoordinatorRecord } from './coordinator-record.ts';
import type { KeyOf, ValueOf } from './coordinator-record.ts';

export const consumerGroupMemberMetadataRecord = defineCoordinatorRecord({
  type: 5,
  name: 'ConsumerGroupMemberMetadata',
  versions: '0',
  flexible: '0+',
  key: {
    groupId: string(),
    memberId: string(),
  },
  value: {
    instanceId: string({ nullable: '0+' }),
    rackId: string({ nullable: '0+' }),
    clientId: string(),
    clientHost: string(),
    subscribedTopicNames: array(string()),
    subscribedTopicRegex: string({ nullable: '0+' }),
    rebalanceTimeoutMs: int32({ default: -1 }),
    serverAssignor: string({ nullable: '0+' }),
    // Null for a member of the new protocol, said explicitly: Kafka's classes take a missing one for the empty struct,
    // whatever the definition says.
    classicMemberMetadata: struct(
      {
        sessionTimeoutMs: int32(),
        supportedProtocols: array({
          name: string(),
          metadata: bytes(),
        }),
      },
      { nullable: '0+', tag: 0 },
    ),
  },
});

export type ConsumerGroupMemberMetadataKey = KeyOf<typeof consumerGroupMemberMetadataRecord>;
export type ConsumerGroupMemberMetadataValue = ValueOf<typeof consumerGroupMemberMetadataRecord>;
