import type { KafkaConfigEntry } from './kafka-config.ts';

const later = 'tables with it are not built yet; leave it out';

/**
 * What makes a topic a table, as configs of the topic. Each has a synonym: the name that AutoMQ gave it
 * ({@link canonicalConfigName}).
 */
export const tableConfigTable = {
  'table.topic.enable': {
    type: 'bool',
    default: false,
    effect: 'applied',
    description:
      'Whether the topic is also an Iceberg table: every record becomes a row. Turned off, the table stays as it is; turned on again, it goes on where it stopped.',
  },
  'table.topic.namespace': {
    type: 'string',
    default: 'default',
    pattern: {
      regexp: /^[a-zA-Z0-9_-]{1,64}(\.[a-zA-Z0-9_-]{1,64}){0,7}$/,
      meaning: 'letters, digits, _ and -, in levels separated by dots',
    },
    effect: 'applied',
    description:
      'The namespace of the table in the catalog; dots separate levels. The table has the name of the topic. Changed later, a new table is begun from the earliest record.',
  },
  'table.topic.commit.interval.ms': {
    type: 'long',
    default: 60_000n,
    min: 1_000n,
    max: 900_000n,
    effect: 'applied',
    description:
      'How long rows wait at most before they are committed to the table. Each commit makes a snapshot and at least one file for each partition that had records.',
  },
  'table.topic.convert.value.type': {
    type: 'enum',
    default: 'by_schema_id',
    values: ['raw', 'string', 'by_schema_id', 'by_latest_schema'],
    onlyBuilt: { values: ['by_schema_id'], why: later },
    effect: 'applied',
    description:
      'How values are read. `by_schema_id`: Avro in the framing of Confluent’s serializers, by the schema whose id stands in front.',
  },
  'table.topic.convert.key.type': {
    type: 'enum',
    default: 'raw',
    values: ['raw', 'string', 'by_schema_id', 'by_latest_schema'],
    onlyBuilt: { values: ['raw'], why: later },
    effect: 'applied',
    description: 'How keys are read. `raw`: as bytes, in `_kafka.key`.',
  },
  'table.topic.transform.value.type': {
    type: 'enum',
    default: 'flatten',
    values: ['none', 'flatten', 'flatten_debezium'],
    onlyBuilt: { values: ['flatten'], why: later },
    effect: 'applied',
    description: 'What becomes of a value. `flatten`: each of its fields is a column.',
  },
  'table.topic.schema.type': {
    type: 'enum',
    default: 'none',
    values: ['none', 'schemaless', 'schema'],
    onlyBuilt: {
      values: ['none'],
      why: 'it is deprecated: use table.topic.convert.value.type and table.topic.transform.value.type',
    },
    effect: 'applied',
    description: 'The older way to say how values are read.',
  },
  'table.topic.id.columns': {
    type: 'string',
    default: '',
    onlyBuilt: { values: [''], why: later },
    effect: 'applied',
    description: 'The columns that identify a row. Empty: none.',
  },
  'table.topic.partition.by': {
    type: 'string',
    default: '',
    onlyBuilt: { values: [''], why: later },
    effect: 'applied',
    description: 'How the table is partitioned. Empty: it is not.',
  },
  'table.topic.upsert.enable': {
    type: 'bool',
    default: false,
    onlyBuilt: { values: ['false'], why: later },
    effect: 'applied',
    description: 'Whether a record replaces the row with the same key. `false`: every record is a row.',
  },
  'table.topic.cdc.field': {
    type: 'string',
    default: '',
    onlyBuilt: { values: [''], why: later },
    effect: 'applied',
    description: 'The field that says whether a record inserts, updates or deletes. Empty: all insert.',
  },
  'table.topic.errors.tolerance': {
    type: 'enum',
    default: 'none',
    values: ['none', 'invalid_data', 'all'],
    onlyBuilt: {
      values: ['none'],
      why: 'dead letters are not built yet, and no record is dropped: one that cannot become a row stops its partition’s table, not the topic',
    },
    effect: 'applied',
    description:
      'What becomes of a record that cannot become a row. `none`: the table takes no more records of its partition until that record is gone (DeleteRecords) or can be read; other partitions go on.',
  },
  'table.topic.expire.snapshot.enabled': {
    type: 'bool',
    default: false,
    onlyBuilt: {
      values: ['false'],
      why: 'maintenance of tables is not built yet: let an engine expire snapshots',
    },
    effect: 'applied',
    description: 'Whether old snapshots are expired. `false`: all are kept.',
  },
} as const satisfies Readonly<Record<string, KafkaConfigEntry>>;

const prefix = 'table.topic.';
const synonymPrefix = `automq.${prefix}`;

/** The name under which a config is stored: synonyms have another. */
export function canonicalConfigName(name: string): string {
  return name.startsWith(synonymPrefix) ? name.slice('automq.'.length) : name;
}

/** The synonym of a config that has one. */
export function configSynonym(name: string): string | undefined {
  return name.startsWith(prefix) ? `automq.${name}` : undefined;
}
