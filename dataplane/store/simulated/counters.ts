/** What has happened at a simulated store so far. */
export interface StoreCounters {
  /** Attempts that left a process, of every operation. */
  requests: number;
  put: number;
  get: number;
  head: number;
  list: number;
  delete: number;
  /** 412s. */
  conditionFailed: number;
  /** 412s because of an object with the id of the very request: an earlier copy of it had landed. */
  ownConditionFailed: number;
  requestsLost: number;
  answersLost: number;
  /** Attempts whose client gave up waiting, for whatever reason. */
  timeouts: number;
  /** Writes applied when nobody waited for them any more. */
  lateLandings: number;
  /** Of these, writes that took effect on a key that had been deleted since they were sent. */
  lateLandingsOnDeletedKeys: number;
  /** Second applications of one request. */
  duplicates: number;
  conflicts: number;
  throttled: number;
  errorsWithoutEffect: number;
  errorsWithEffect: number;
  /** Bodies that the client saw to be truncated, corrupt or of another range. */
  flawedBodies: number;
  undetectedCorruptions: number;
  /** Connections refused by an endpoint that is cut off. */
  unreachable: number;
  readOnlyRefusals: number;
  /** Objects missing in pages of weak LISTs. */
  listOmissions: number;
  slowRequests: number;
}

export function zeroCounters(): StoreCounters {
  return {
    requests: 0,
    put: 0,
    get: 0,
    head: 0,
    list: 0,
    delete: 0,
    conditionFailed: 0,
    ownConditionFailed: 0,
    requestsLost: 0,
    answersLost: 0,
    timeouts: 0,
    lateLandings: 0,
    lateLandingsOnDeletedKeys: 0,
    duplicates: 0,
    conflicts: 0,
    throttled: 0,
    errorsWithoutEffect: 0,
    errorsWithEffect: 0,
    flawedBodies: 0,
    undetectedCorruptions: 0,
    unreachable: 0,
    readOnlyRefusals: 0,
    listOmissions: 0,
    slowRequests: 0,
  };
}
