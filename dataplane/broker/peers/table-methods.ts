import { Fields, integerOf, textOf } from '../../cluster/json-fields.ts';
import type { FileMetrics } from '../../columnar/data-file.ts';
import { readSchema, schemaJson } from '../../iceberg/json/schema-json.ts';
import { JsonObject } from '../../iceberg/json/json-object.ts';
import type {
  CollectAnswer,
  CollectRequest,
  Committable,
  CommittableFile,
  CommittedRequest,
  PartitionAnswer,
  PartitionProgress,
  TableTarget,
} from '../../table/table-workers.ts';
import { withinBudget } from './answer-budget.ts';
import { nothing } from './peer-method.ts';
import type { PeerMethod, PeerShape } from './peer-method.ts';

const topicIdPattern = /^[0-9a-f]{32}$/;
const anyText = /^[^]*$/;
const base64Pattern = /^[A-Za-z0-9+/]*={0,2}$/;

/** Of the files in an answer; the frame holds a little more. */
export const maxAnswerBytes = 7 * 1024 * 1024;

const progress: PeerShape<PartitionProgress> = {
  encode: ({ partition, committed }) => ({ partition, committed }),
  decode: (json) => {
    const fields = new Fields(json);
    return { partition: fields.integer('partition', 0), committed: fields.integer('committed', 0) };
  },
};

const target: PeerShape<TableTarget> = {
  encode: ({ uuid, location, schema, specId }) => ({ uuid, location, schema: schemaJson(schema), specId }),
  decode: (json) => {
    const fields = new Fields(json);
    return {
      uuid: fields.text('uuid', anyText),
      location: fields.text('location', anyText),
      schema: fields.nested('schema', (value) => readSchema(new JsonObject(value, 'schema'))),
      specId: fields.integer('specId', 0),
    };
  },
};

const numberMap: PeerShape<ReadonlyMap<number, number>> = {
  encode: (map) => [...map],
  decode: (json) => new Map(pairs(json).map(([id, value]) => [id, integerOf(value, '', 0)])),
};

const bytesMap: PeerShape<ReadonlyMap<number, Uint8Array>> = {
  encode: (map) => Array.from(map, ([id, bytes]) => [id, Buffer.from(bytes).toString('base64')]),
  decode: (json) =>
    new Map(pairs(json).map(([id, text]) => [id, Buffer.from(textOf(text, '', base64Pattern), 'base64')])),
};

function pairs(json: unknown): (readonly [number, unknown])[] {
  return new Fields({ pairs: json }).list('pairs', (element) => {
    const [id, value] = Array.isArray(element) ? (element as readonly unknown[]) : [];
    return [integerOf(id, '', 0), value] as const;
  });
}

const metrics: PeerShape<FileMetrics> = {
  encode: (value) => ({
    columnSizes: numberMap.encode(value.columnSizes),
    valueCounts: numberMap.encode(value.valueCounts),
    nullValueCounts: numberMap.encode(value.nullValueCounts),
    nanValueCounts: numberMap.encode(value.nanValueCounts),
    lowerBounds: bytesMap.encode(value.lowerBounds),
    upperBounds: bytesMap.encode(value.upperBounds),
    splitOffsets: value.splitOffsets,
  }),
  decode: (json) => {
    const fields = new Fields(json);
    return {
      columnSizes: fields.nested('columnSizes', numberMap.decode),
      valueCounts: fields.nested('valueCounts', numberMap.decode),
      nullValueCounts: fields.nested('nullValueCounts', numberMap.decode),
      nanValueCounts: fields.nested('nanValueCounts', numberMap.decode),
      lowerBounds: fields.nested('lowerBounds', bytesMap.decode),
      upperBounds: fields.nested('upperBounds', bytesMap.decode),
      splitOffsets: fields.list('splitOffsets', (value) => integerOf(value, '', 0)),
    };
  },
};

const file: PeerShape<CommittableFile> = {
  encode: (value) => ({ ...value, metrics: metrics.encode(value.metrics) }),
  decode: (json) => {
    const fields = new Fields(json);
    return {
      path: fields.text('path', anyText),
      sizeBytes: fields.integer('sizeBytes', 0),
      recordCount: fields.integer('recordCount', 0),
      metrics: fields.nested('metrics', metrics.decode),
      schemaId: fields.integer('schemaId', 0),
      specId: fields.integer('specId', 0),
      maxTimestampMs: fields.integer('maxTimestampMs', Number.MIN_SAFE_INTEGER),
    };
  },
};

const committable: PeerShape<Committable> = {
  encode: (value) => ({ ...value, file: value.file === undefined ? undefined : file.encode(value.file) }),
  decode: (json) => {
    const fields = new Fields(json);
    return {
      partition: fields.integer('partition', 0),
      from: fields.integer('from', 0),
      to: fields.integer('to', 0),
      file: fields.optionalNested('file', file.decode),
    };
  },
};

const answer: PeerShape<PartitionAnswer> = {
  encode: ({ partition, committables, firstSchemaId }) => ({
    partition,
    committables: committables.map(committable.encode),
    firstSchemaId,
  }),
  decode: (json) => {
    const fields = new Fields(json);
    return {
      partition: fields.integer('partition', 0),
      committables: fields.list('committables', committable.decode),
      firstSchemaId: fields.optionalInteger('firstSchemaId', 0),
    };
  },
};

/** `TableWorkers.collect` between brokers. */
export const collectMethod: PeerMethod<CollectRequest, CollectAnswer> = {
  name: 'collect',
  request: {
    encode: (request) => ({
      ...request,
      table: request.table === undefined ? undefined : target.encode(request.table),
      partitions: request.partitions.map(progress.encode),
    }),
    decode: (json) => {
      const fields = new Fields(json);
      return {
        topicId: fields.text('topicId', topicIdPattern),
        epoch: fields.integer('epoch', 0),
        table: fields.optionalNested('table', target.decode),
        partitions: fields.list('partitions', progress.decode),
        finish: fields.flag('finish'),
        waitMs: fields.integer('waitMs', 0),
      };
    },
  },
  response: {
    encode: (value) =>
      value.kind === 'collected'
        ? { kind: value.kind, partitions: withinBudget(value.partitions, maxAnswerBytes).map(answer.encode) }
        : { kind: value.kind, epoch: value.epoch },
    decode: (json) => {
      const fields = new Fields(json);
      return fields.oneOf('kind', ['collected', 'stale-epoch']) === 'collected'
        ? { kind: 'collected', partitions: fields.list('partitions', answer.decode) }
        : { kind: 'stale-epoch', epoch: fields.integer('epoch', 0) };
    },
  },
};

/** `TableWorkers.committed` between brokers. */
export const committedMethod: PeerMethod<CommittedRequest, undefined> = {
  name: 'committed',
  request: {
    encode: ({ topicId, epoch, partitions }) => ({
      topicId,
      epoch,
      partitions: partitions.map(progress.encode),
    }),
    decode: (json) => {
      const fields = new Fields(json);
      return {
        topicId: fields.text('topicId', topicIdPattern),
        epoch: fields.integer('epoch', 0),
        partitions: fields.list('partitions', progress.decode),
      };
    },
  },
  response: nothing,
};
