import { moveReasons } from '../cluster/placement-move.ts';
import type { MoveReason } from '../cluster/placement-move.ts';
import type { PlacementPlan } from '../cluster/plan-placement.ts';
import type { Logger } from '../runtime/logger.ts';

const examples = 10;

/** Says what a plan that was carried out moves, a line for each reason, and counts it. */
export function reportPlan(
  { homes, moves }: PlacementPlan,
  logger: Logger,
  moved: (reason: MoveReason, groups: number) => void,
): void {
  for (const [from, ofZone] of Map.groupBy(homes, (home) => home.from)) {
    logger.warn('a zone is lost: topics have their home elsewhere from now on', {
      zone: from,
      topics: ofZone.length,
      examples: ofZone.slice(0, examples).map(({ topic, to }) => `${topic}: ${to}`),
    });
  }
  for (const [reason, ofReason] of Map.groupBy(moves, (move) => move.reason)) {
    moved(reason, ofReason.length);
    logger.info('partition groups are moved', {
      reason,
      why: moveReasons[reason],
      groups: ofReason.length,
      examples: ofReason
        .slice(0, examples)
        .map(({ topic, group, from, to }) => `${topic} ${group}: ${from ?? 'none'} → ${to}`),
    });
  }
}
