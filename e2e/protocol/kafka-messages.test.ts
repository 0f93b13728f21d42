import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { apiByKey, advertisedVersions, apis } from '../../dataplane/protocol/apis.ts';
import {
  consumerProtocolAssignment,
  consumerProtocolSubscription,
} from '../../dataplane/protocol/consumer-protocol.ts';
import { coordinatorRecords } from '../../dataplane/protocol/coordinator-records/coordinator-records.ts';
import { kafkaErrors } from '../../dataplane/protocol/error-code.ts';
import { layoutStruct } from '../../dataplane/protocol/field-layout.ts';
import type { FieldLayout } from '../../dataplane/protocol/field-layout.ts';
import type { Fields, FieldType } from '../../dataplane/protocol/field.ts';
import {
  requestHeader,
  requestHeaderVersion,
  responseHeader,
  responseHeaderVersion,
} from '../../dataplane/protocol/headers.ts';
import { defaultOf, drawFrom, drawMessage, isFlexible } from '../../dataplane/protocol/message-fixture.ts';
import type { Struct } from '../../dataplane/protocol/message-fixture.ts';
import type { AnyMessage, Message } from '../../dataplane/protocol/message.ts';
import { parseVersionRange } from '../../dataplane/protocol/version-range.ts';
import { skipUnless } from '../tools/real-part.ts';
import { askKafkaCodec } from './kafka-codec.ts';
import { describeKafka, describeOurs } from './kafka-definition.ts';
import type { KafkaDefinition } from './kafka-definition.ts';

/** Messages drawn of each version. */
const drawn = 25;

const messages: readonly AnyMessage[] = [
  requestHeader,
  responseHeader,
  consumerProtocolSubscription,
  consumerProtocolAssignment,
  ...Object.values(apis).flatMap((api) => [api.request, api.response]),
  ...Object.values(coordinatorRecords).flatMap((record) => [record.key, record.value]),
];

describe("Kafka's own codecs", { skip: await skipUnless('kafkaCodec') }, () => {
  const definitions = new Map<AnyMessage, KafkaDefinition>();

  before(async () => {
    const answers = await askKafkaCodec(messages.map(({ name }) => ['definition', name]));
    messages.forEach((message, i) => {
      definitions.set(message, JSON.parse(answers[i]?.[0] ?? '') as KafkaDefinition);
    });
  });

  test('declarations say what the definitions say, in every version', () => {
    for (const message of messages) {
      const definition = definitions.get(message);
      assert.ok(definition);
      for (const version of versionsOf(message)) {
        const expected = describeKafka(definition, version);
        const ours = describeOurs(message.fields, version, isFlexible(message, version));
        // Fields of versions that are not declared here may be missing.
        for (const [name, field] of Object.entries(expected)) {
          if (!(name in ours) && 'lost' in field) delete (expected as Record<string, unknown>)[name];
        }
        const place = `${message.name} v${version}`;
        assert.deepEqual(Object.keys(ours), Object.keys(expected), place);
        assert.deepEqual(ours, expected, place);
      }
    }
  });

  test('versions, flexible versions and headers of all APIs are those of a broker', async () => {
    const [answer] = await askKafkaCodec([['apis']]);
    const kafkaApis = JSON.parse(answer?.[0] ?? '') as Record<string, KafkaApi>;
    for (const api of Object.values(apis)) {
      const kafka = kafkaApis[api.name];
      assert.ok(kafka, api.name);
      assert.deepEqual(
        {
          key: api.key,
          min: api.versions.min,
          max: api.versions.max,
          advertisedMin: advertisedVersions(api).min,
          requestHeaders: versionsOf(api.request).map((version) => requestHeaderVersion(api, version)),
          responseHeaders: versionsOf(api.response).map((version) => responseHeaderVersion(api, version)),
        },
        kafka,
        api.name,
      );
      assert.equal(apiByKey(api.key), api);
    }
  });

  test('versions of what is no API are those that Kafka writes', () => {
    const others = messages.filter((message) => !/(?:Request|Response)$/.test(message.name));
    for (const message of others) {
      const definition = definitions.get(message);
      assert.ok(definition);
      assert.deepEqual(message.versions, parseVersionRange(definition.validVersions), message.name);
      for (const version of versionsOf(message)) {
        const { min, max } = parseVersionRange(definition.flexibleVersions);
        assert.equal(isFlexible(message, version), version >= min && version <= max, message.name);
      }
    }
    for (const record of Object.values(coordinatorRecords)) {
      assert.equal(definitions.get(record.key)?.apiKey, record.type);
      assert.equal(definitions.get(record.value)?.apiKey, record.type);
    }
  });

  test('error codes are the same', async () => {
    const [answer] = await askKafkaCodec([['errors']]);
    assert.deepEqual(kafkaErrors, JSON.parse(answer?.[0] ?? ''));
  });

  test('what we encode Kafka decodes to the same, and encodes to the same bytes, in every version', async () => {
    const samples = messages.flatMap((message) =>
      versionsOf(message).flatMap((version) =>
        Array.from({ length: drawn }, (_, seed) => sample(message, version, seed)),
      ),
    );
    const answers = await askKafkaCodec(
      samples.map(({ message, version, hex }) => ['recode', message.name, String(version), hex]),
    );
    samples.forEach(({ message, version, value, hex }, i) => {
      const [recoded, json] = answers[i] ?? [];
      const place = `${message.name} v${version}`;
      assert.equal(recoded, hex, place);
      const decoded = fromKafkaJson(message.fields, version, isFlexible(message, version), json ?? '');
      assert.deepEqual(withoutRecords(message.fields, value), decoded, place);
    });
  });
});

interface KafkaApi {
  readonly key: number;
  readonly min: number;
  readonly max: number;
  readonly advertisedMin: number;
  readonly requestHeaders: readonly number[];
  readonly responseHeaders: readonly number[];
}

interface Sample {
  readonly message: AnyMessage;
  readonly version: number;
  readonly value: Struct;
  readonly hex: string;
}

function sample(message: AnyMessage, version: number, seed: number): Sample {
  const value = drawMessage(message, version, drawFrom(seed));
  const encoded = (message as Message<Struct, Struct>).encode(value, version);
  return { message, version, value, hex: Buffer.concat(encoded).toString('hex') };
}

function versionsOf(message: AnyMessage): number[] {
  const { min, max } = message.versions;
  return Array.from({ length: max - min + 1 }, (_, i) => min + i);
}

/** Kafka's JSON leaves out what a version lacks and what is tagged and has its default, and all records. */
function fromKafkaJson(fields: Fields, version: number, flexible: boolean, json: string): Struct {
  return fromKafkaStruct(fields, version, flexible, JSON.parse(json) as Struct);
}

function fromKafkaStruct(fields: Fields, version: number, flexible: boolean, json: Struct): Struct {
  const layout = layoutStruct(fields, version, flexible);
  return Object.fromEntries(
    layout.fields
      .filter((field) => field.type.kind !== 'records')
      .map((field) => [field.name, fromKafkaField(field, version, flexible, json[field.name])]),
  );
}

function fromKafkaField(field: FieldLayout, version: number, flexible: boolean, json: unknown): unknown {
  if (json === undefined && field.place !== 'inline') {
    return valueWithoutRecords(field.type, defaultOf(field, version));
  }
  return fromKafkaValue(field.type, version, flexible, json);
}

function fromKafkaValue(type: FieldType, version: number, flexible: boolean, json: unknown): unknown {
  if (json === null) return null;
  switch (type.kind) {
    case 'array':
      return (json as readonly unknown[]).map((element) =>
        fromKafkaValue(type.element, version, flexible, element),
      );
    case 'struct':
      return fromKafkaStruct(type.fields, version, flexible, json as Struct);
    case 'uuid':
      return Buffer.from(json as string, 'base64url').toString('hex');
    case 'bytes':
      return Buffer.from(json as string, 'base64');
    default:
      return json;
  }
}

function withoutRecords(fields: Fields, value: Struct): Struct {
  return Object.fromEntries(
    Object.entries(fields)
      .filter(([, field]) => field.type.kind !== 'records')
      .map(([name, field]) => [name, valueWithoutRecords(field.type, value[name])]),
  );
}

function valueWithoutRecords(type: FieldType, value: unknown): unknown {
  if (value === null) return null;
  if (type.kind === 'struct') return withoutRecords(type.fields, value as Struct);
  if (type.kind !== 'array') return value;
  return (value as readonly unknown[]).map((element) => valueWithoutRecords(type.element, element));
}
