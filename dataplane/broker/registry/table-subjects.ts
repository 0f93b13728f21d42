import type { ClusterState } from '../../cluster/cluster-state.ts';
import { topicConfigOf } from '../../cluster/config/topic-configs.ts';
import { avroToTable } from '../../schema/avro/avro-to-table.ts';
import type { AvroRecord } from '../../schema/avro/avro-schema.ts';
import { whyUnfit } from '../../schema/avro/schema-fit.ts';
import { SchemaError } from '../../schema/errors.ts';
import type { CheckRegistration } from '../../schema/registry/http/route.ts';
import type { StructType } from '../../schema/table-type.ts';

const valueSuffix = '-value';

/** The topic with a table whose values a subject describes (TopicNameStrategy); `undefined`: there is none. */
export function tableTopicOf(subject: string, state: ClusterState | undefined): string | undefined {
  if (!subject.endsWith(valueSuffix)) return undefined;
  const name = subject.slice(0, -valueSuffix.length);
  const topic = state?.topics.get(name);
  if (state === undefined || topic === undefined) return undefined;
  return topicConfigOf(topic.configs, state.configs)['table.topic.enable'] ? name : undefined;
}

/**
 * Refuses schemas whose records could not become rows of the topic's table, before a producer uses one. Who registers a
 * schema before the topic is a table is not held up: the table's worker says the same later.
 *
 * @param columnsOf the columns of the topic's table; `undefined`: it has no table yet, so any flat record will do
 */
export function tableSubjectCheck(
  clusterState: () => ClusterState | undefined,
  columnsOf: (topic: string, signal: AbortSignal) => Promise<StructType | undefined>,
): CheckRegistration {
  return async (subject, { record }, signal) => {
    const topic = tableTopicOf(subject, clusterState());
    if (topic === undefined) return undefined;
    const why =
      record instanceof SchemaError ? record.message : whyNoRows(record, await columnsOf(topic, signal));
    return why === undefined
      ? undefined
      : `topic ${topic} is a table, and records of this schema cannot be its rows: ${why}`;
  };
}

function whyNoRows(record: AvroRecord, columns: StructType | undefined): string | undefined {
  try {
    const reasons = columns === undefined ? [] : whyUnfit(record, columns);
    if (columns === undefined) avroToTable(record);
    return reasons.length === 0 ? undefined : reasons.join('; ');
  } catch (error) {
    if (error instanceof SchemaError) return error.message;
    throw error;
  }
}
