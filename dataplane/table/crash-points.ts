/**
 * The steps of worker, coordinator and the catalog's commit between which a process may die, by name. What is written
 * before a point may or may not be in the store when the process dies there: every one leaves each row in the table
 * exactly once.
 */
export const crashPoints = [
  'worker.batch.read',
  'worker.batch.appended',
  'worker.file.encoded',
  'worker.file.put.before',
  'worker.file.put.after',
  'worker.collect.answered',
  'coordinator.namespace.ensured',
  'coordinator.table.create.before',
  'coordinator.table.created',
  'coordinator.table.registered',
  'coordinator.claim.before',
  'coordinator.claim.after',
  'coordinator.collected',
  'coordinator.offsets.put',
  'coordinator.manifests.put',
  'coordinator.commit.before',
  'coordinator.commit.after',
  'coordinator.conflict',
  'coordinator.unknown',
  'coordinator.resolved',
  'coordinator.told',
  'coordinator.cleanup.before',
  'coordinator.cleanup.after',
  'catalog.metadata.put.before',
  'catalog.metadata.put.after',
  'catalog.pointer.swap.before',
  'catalog.pointer.swap.after',
] as const;

export type CrashPoint = (typeof crashPoints)[number];

/** Called at each point; returns, or never does. In production it does nothing. */
export type CrashPoints = (point: CrashPoint) => void;

export const noCrashPoints: CrashPoints = () => undefined;

export function isCrashPoint(name: string): name is CrashPoint {
  return (crashPoints as readonly string[]).includes(name);
}
