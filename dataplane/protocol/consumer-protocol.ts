/**
 * What consumers of a classic group of protocol type `consumer` put into JoinGroup and SyncGroup. To a broker these are
 * opaque bytes; it reads them only to describe a group, and to move a group between the classic and the new protocol.
 */
import { array, bytes, int32, string } from './field.ts';
import { defineMessage } from './message.ts';
import type { DecodedOf, InputOf } from './message.ts';
import { decodeVersionedOrNewer, encodeVersioned } from './versioned-message.ts';

const topicPartitions = { topic: string(), partitions: array(int32()) };

export const consumerProtocolSubscription = defineMessage({
  name: 'ConsumerProtocolSubscription',
  versions: '0-3',
  flexible: 'none',
  fields: {
    topics: array(string()),
    userData: bytes({ nullable: '0+', default: null }),
    ownedPartitions: array(topicPartitions, { versions: '1+', ignorable: true }),
    generationId: int32({ versions: '2+', default: -1, ignorable: true }),
    rackId: string({ versions: '3+', nullable: '3+', default: null, ignorable: true }),
  },
});

export const consumerProtocolAssignment = defineMessage({
  name: 'ConsumerProtocolAssignment',
  versions: '0-3',
  flexible: 'none',
  fields: {
    assignedPartitions: array(topicPartitions),
    userData: bytes({ nullable: '0+', default: null }),
  },
});

export type ConsumerProtocolSubscription = DecodedOf<typeof consumerProtocolSubscription>;
export type ConsumerProtocolAssignment = DecodedOf<typeof consumerProtocolAssignment>;

/** The metadata of a member in JoinGroup. */
export function encodeSubscription(
  subscription: InputOf<typeof consumerProtocolSubscription>,
  version = 3,
): Buffer {
  return encodeVersioned(consumerProtocolSubscription, subscription, version);
}

/** @throws ProtocolError when the bytes are none */
export function decodeSubscription(metadata: Uint8Array): ConsumerProtocolSubscription {
  return decodeVersionedOrNewer(consumerProtocolSubscription, metadata);
}

/** The assignment of a member in SyncGroup. */
export function encodeAssignment(
  assignment: InputOf<typeof consumerProtocolAssignment>,
  version = 3,
): Buffer {
  return encodeVersioned(consumerProtocolAssignment, assignment, version);
}

/** @throws ProtocolError when the bytes are none */
export function decodeAssignment(assignment: Uint8Array): ConsumerProtocolAssignment {
  return decodeVersionedOrNewer(consumerProtocolAssignment, assignment);
}
