import { batchAttributes, isControl, readBatchHeader } from '../protocol/record-batch.ts';
import type { KafkaErrorName } from '../protocol/error-code.ts';
import type { RequestContext } from './request-context.ts';
import type { TopicSettings } from './topic-settings.ts';

/** Why records are refused, for the client. */
export interface RecordsProblem {
  readonly error: KafkaErrorName;
  readonly message: string;
  readonly recordErrors?: readonly {
    readonly batchIndex: number;
    readonly batchIndexErrorMessage: string;
  }[];
}
