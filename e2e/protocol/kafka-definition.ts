/** Kafka's JSON definitions of messages, laid out as ours are, so that they can be compared. */
import type { DefaultValue, FieldLayout, StructLayout } from '../../dataplane/protocol/field-layout.ts';
import { layoutStruct } from '../../dataplane/protocol/field-layout.ts';
import type { Fields, FieldType } from '../../dataplane/protocol/field.ts';
import { isInRange, parseVersionRange } from '../../dataplane/protocol/version-range.ts';
import type { VersionRangeText } from '../../dataplane/protocol/version-range.ts';

export interface KafkaDefinition {
  readonly apiKey?: number;
  readonly name: string;
  readonly validVersions: VersionRangeText;
  readonly flexibleVersions: VersionRangeText;
  readonly latestVersionUnstable?: boolean;
  readonly fields: readonly KafkaField[];
  readonly commonStructs?: readonly KafkaStruct[];
}

interface KafkaStruct {
  readonly name: string;
  readonly fields: readonly KafkaField[];
}

interface KafkaField {
  readonly name: string;
  readonly type: string;
  readonly versions: VersionRangeText;
  readonly nullableVersions?: VersionRangeText;
  readonly default?: string | number | boolean | null;
  readonly tag?: number;
  readonly taggedVersions?: VersionRangeText;
  readonly ignorable?: boolean;
  readonly flexibleVersions?: VersionRangeText;
  readonly fields?: readonly KafkaField[];
}

/** All that one version knows of a struct, nested structs included, in one comparable value. */
export interface StructDescription {
  readonly [name: string]: FieldDescription;
}

export type FieldDescription =
  | { readonly lost: 'silently' | 'never'; readonly default: unknown }
  | {
      readonly type: string;
      readonly tag: number | undefined;
      readonly nullable: boolean;
      readonly compact: boolean;
      readonly default: unknown;
      readonly fields: StructDescription | undefined;
    };

/** What Kafka's definition says of a version. */
export function describeKafka(definition: KafkaDefinition, version: number): StructDescription {
  const flexible = isInRange(version, parseVersionRange(definition.flexibleVersions));
  const structs = new Map<string, readonly KafkaField[]>();
  for (const { name, fields } of definition.commonStructs ?? []) structs.set(name, fields);
  return describeKafkaFields(definition.fields, version, flexible, structs);
}

function describeKafkaFields(
  fields: readonly KafkaField[],
  version: number,
  flexible: boolean,
  structs: ReadonlyMap<string, readonly KafkaField[]>,
): StructDescription {
  const described = fields.map((field): [string, FieldDescription] => {
    const name = field.name.charAt(0).toLowerCase() + field.name.slice(1);
    const has = (range: VersionRangeText | undefined): boolean =>
      range !== undefined && isInRange(version, parseVersionRange(range));
    const element = field.type.replace(/^\[\]/, '');
    const inner = field.fields ?? structs.get(element);
    if (!has(field.versions)) {
      return [name, { lost: field.ignorable === true ? 'silently' : 'never', default: kafkaDefault(field) }];
    }
    return [
      name,
      {
        type: `${field.type.startsWith('[]') ? '[]' : ''}${inner === undefined ? element : 'struct'}`,
        tag: has(field.taggedVersions) ? field.tag : undefined,
        nullable: has(field.nullableVersions),
        compact: flexible && field.flexibleVersions !== 'none',
        default: kafkaDefault(field),
        fields: inner && describeKafkaFields(inner, version, flexible, structs),
      },
    ];
  });
  return Object.fromEntries(described);
}

/**
 * Definitions leave most defaults out, and write some numbers as text. Only the text 'null' is null: the JSON value is
 * as good as left out, to Kafka's generator.
 */
function kafkaDefault(field: KafkaField): unknown {
  const { type } = field;
  const given = field.default ?? undefined;
  if (given === 'null') return null;
  if (type.startsWith('[]')) return 'empty-array';
  if (/^[A-Z]/.test(type)) return 'struct';
  switch (type) {
    case 'string':
      return given ?? '';
    case 'bytes':
      return 'empty-bytes';
    case 'records':
      return null;
    case 'uuid':
      return '0'.repeat(32);
    case 'bool':
      return given === true || given === 'true';
    default: {
      const value = Number(given ?? 0);
      return Number.isSafeInteger(value) ? value : Infinity;
    }
  }
}

/** What ours says of a version. */
export function describeOurs(fields: Fields, version: number, flexible: boolean): StructDescription {
  return describeLayout(layoutStruct(fields, version, flexible), version, flexible);
}

function describeLayout(layout: StructLayout, version: number, flexible: boolean): StructDescription {
  return Object.fromEntries(
    layout.fields.map((field) => [field.name, describeField(field, version, flexible)]),
  );
}

function describeField(field: FieldLayout, version: number, flexible: boolean): FieldDescription {
  const { type } = field;
  const element = type.kind === 'array' ? type.element : type;
  if (field.place === 'absent') {
    return { lost: field.ignorable ? 'silently' : 'never', default: plainDefault(field.defaultValue) };
  }
  return {
    type: `${type.kind === 'array' ? '[]' : ''}${element.kind}`,
    tag: field.place === 'tagged' ? field.tag : undefined,
    nullable: field.nullable,
    compact: field.flexible,
    default: plainDefault(field.defaultValue),
    fields: structOf(element, version, flexible),
  };
}

function structOf(type: FieldType, version: number, flexible: boolean): StructDescription | undefined {
  return type.kind === 'struct' ? describeOurs(type.fields, version, flexible) : undefined;
}

function plainDefault(value: DefaultValue): unknown {
  return value.kind === 'scalar' ? value.value : value.kind;
}
