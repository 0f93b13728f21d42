import type { Runtime } from '../../runtime/runtime.ts';
import type { ClusterView } from './cluster-view.ts';
import type { FindingSink } from './finding.ts';
import type { ObjectReader } from './object-reader.ts';
import type { ProducerBudget } from './producer-sequences.ts';

/** What all checks of one run share. */
export interface VerifyContext {
  readonly reader: ObjectReader;
  readonly runtime: Runtime;
  readonly findings: FindingSink;
  readonly cluster: ClusterView;
  /** Read record bytes too. */
  readonly deep: boolean;
  /** How long a gap between slots, which may be slots being written, is given to close. */
  readonly settleMs: number;
  readonly producerBudget: ProducerBudget;
  readonly counters: VerifyCounters;
}

export interface VerifyCounters {
  groups: number;
  sessions: number;
  segments: number;
  slots: number;
  /** In segments and slots, once each; of slots those that some group needs. */
  batches: number;
  records: number;
  /** Record bytes read and checked (`deep`). */
  recordBytes: number;
  /** Times that something changed while it was being read, and was looked at again. */
  rereads: number;
}
