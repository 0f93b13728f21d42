/** What tests ask of a broker process, by the name of the operation. Messages travel over Node's IPC channel. */
export interface Operations {
  readonly createTopic: {
    readonly request: { readonly name: string; readonly topicId: string; readonly partitions: number };
    readonly answer: null;
  };
  readonly append: {
    readonly request: PartitionName & { readonly bytes: Uint8Array };
    readonly answer: {
      readonly baseOffset: number;
      readonly lastOffset: number;
      readonly duplicate: boolean;
    };
  };
  /** Whole batches from `offset` on. */
  readonly read: {
    readonly request: PartitionName & { readonly offset: number };
    readonly answer: { readonly bytes: Uint8Array };
  };
  readonly endOffset: { readonly request: PartitionName; readonly answer: { readonly offset: number } };
  /** Which broker the partition is assigned to, as this one knows `meta/cluster`. */
  readonly leader: { readonly request: PartitionName; readonly answer: { readonly broker: number } };
  /** Declares the current session of another broker dead; answers with that session. */
  readonly markDead: {
    readonly request: { readonly id: number };
    readonly answer: { readonly deadSid: string };
  };
  /** `sid`: of the live session, none while there is no such. */
  readonly status: {
    readonly request: Record<string, never>;
    readonly answer: {
      readonly sid: string | undefined;
      readonly counts: Readonly<Record<CountName, number>>;
    };
  };
  /** From now on writes to files fail with ENOSPC, or no longer. Only with `injectFullDisk`. */
  readonly fillDisk: { readonly request: { readonly full: boolean }; readonly answer: null };
  /** Gives all groups to others, ends the session and then the process. */
  readonly drain: { readonly request: Record<string, never>; readonly answer: null };
}

export interface PartitionName {
  readonly topicId: string;
  readonly partition: number;
}

export const countNames = [
  'takeovers',
  'handovers',
  'sessionDeaths',
  'segmentsWritten',
  'slotsSwept',
] as const;
export type CountName = (typeof countNames)[number];

export type OperationName = keyof Operations;

export type Call = {
  [K in OperationName]: {
    readonly number: number;
    readonly do: K;
    readonly request: Operations[K]['request'];
  };
}[OperationName];

/** `code`: of a LogError or StoreError, or the name of any other error. */
export type Answer =
  | { readonly number: number; readonly ok: true; readonly value: unknown }
  | {
      readonly number: number;
      readonly ok: false;
      readonly code: string;
      readonly message: string;
      readonly retriable: boolean;
    };

export type Report =
  | { readonly kind: 'started' }
  /** Its id belongs to another process: it ends. */
  | { readonly kind: 'replaced' }
  | { readonly kind: 'answer'; readonly answer: Answer };

/** The one argument of the program, as JSON. */
export interface BrokerSettings {
  readonly url: string;
  readonly id: number;
  readonly zone: string;
  /** The `file:` store writes through a disk that `fillDisk` fills. */
  readonly injectFullDisk: boolean;
}
