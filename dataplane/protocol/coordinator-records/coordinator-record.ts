/**
 * Records of `__consumer_offsets`, as Kafka's group coordinator writes them: the key is `type int16 | key`, the value
 * `version int16 | value`. A null value is a tombstone.
 */
import { ProtocolError } from '../errors.ts';
import type { Decoded, Fields, Input } from '../field.ts';
import { defineMessage } from '../message.ts';
import type { DecodedOf, Message } from '../message.ts';
import type { VersionRangeText } from '../version-range.ts';
import { decodeVersioned, encodeVersioned, versionOf } from '../versioned-message.ts';

export interface CoordinatorRecordDeclaration<Key extends Fields, Value extends Fields> {
  /** What its keys start with. */
  readonly type: number;
  readonly name: string;
  /** Of the value; keys have one version. */
  readonly versions: VersionRangeText;
  readonly flexible: VersionRangeText;
  readonly key: Key;
  readonly value: Value;
}

export interface CoordinatorRecord<Key, KeyInput, Value, ValueInput> {
  readonly type: number;
  readonly name: string;
  readonly key: Message<Key, KeyInput>;
  readonly value: Message<Value, ValueInput>;
  encodeKey(key: KeyInput): Buffer;
  /** @throws ProtocolError when the bytes are no key of this type */
  decodeKey(bytes: Uint8Array): Key;
  encodeValue(value: ValueInput, version: number): Buffer;
  /** @throws ProtocolError when the bytes are no such value, or of a version that is not declared */
  decodeValue(bytes: Uint8Array): Value;
}

export type AnyCoordinatorRecord = CoordinatorRecord<unknown, never, unknown, never>;

export type KeyOf<R extends AnyCoordinatorRecord> = DecodedOf<R['key']>;
export type ValueOf<R extends AnyCoordinatorRecord> = DecodedOf<R['value']>;

export function defineCoordinatorRecord<const Key extends Fields, const Value extends Fields>(
  declaration: CoordinatorRecordDeclaration<Key, Value>,
): CoordinatorRecord<Decoded<Key>, Input<Key>, Decoded<Value>, Input<Value>> {
  const { type, name, versions, flexible } = declaration;
  const key = defineMessage({
    name: `${name}Key`,
    versions: '0',
    flexible: 'none',
    fields: declaration.key,
  });
  const value = defineMessage({ name: `${name}Value`, versions, flexible, fields: declaration.value });
  return {
    type,
    name,
    key,
    value,
    encodeKey: (input) => {
      const prefix = Buffer.allocUnsafe(2);
      prefix.writeInt16BE(type);
      return Buffer.concat([prefix, ...key.encode(input, 0)]);
    },
    decodeKey: (bytes) => {
      const found = versionOf(key, bytes);
      if (found !== type) {
        throw new ProtocolError(
          'WRONG_RECORD_TYPE',
          { messageName: key.name, version: 0, field: '', position: 0 },
          `the key of a record of type ${found}, not ${type}`,
        );
      }
      return key.decode(bytes, 0, 2);
    },
    encodeValue: (input, version) => encodeVersioned(value, input, version),
    decodeValue: (bytes) => decodeVersioned(value, bytes),
  };
}
