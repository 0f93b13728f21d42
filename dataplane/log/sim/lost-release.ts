import { manifestKey } from '../format/keys.ts';
import type { AmbushTools, NamedGroup } from './ambush-tools.ts';
import type { BrokerNode } from './broker-node.ts';
import { askEnd } from './consumer.ts';
import type { Simulation } from './simulation.ts';

/**
 * An owner whose release of a group has landed and that does not hear of it for a while: neither the answer to its CAS
 * nor what it reads afterwards reach it. The next owner acknowledges more meanwhile. Its session has not been fenced, so
 * that alone must not confirm the end of the group's partitions to clients (log.md P6, `OwnedGroup.confirm`).
 */
export async function lostRelease(
  world: Simulation,
  tools: AmbushTools,
  node: BrokerNode,
  group: NamedGroup,
): Promise<void> {
  const { checker, random } = world;
  const { sid } = node.log;
  const next = tools.candidates().find((other) => other !== node);
  if (sid === undefined || next === undefined) return;
  const { topicId } = group;
  const partition = group.group.firstPartition + random.below(group.group.count);
  const key = manifestKey(group.group.id);
  world.note(`ambush: broker-${node.id} does not hear that it has released ${group.group.id}`);
  const isReleasing = (): boolean =>
    node.log.sid === sid &&
    node.log.log?.served(topicId, partition)?.group.phase === 'releasing' &&
    checker.ownerOf(group.group.id) === sid;
  const hasReleased = (): boolean => node.log.sid === sid && checker.ownerOf(group.group.id) !== sid;
  const { name: process } = node.process;
  const losses = [
    tools.intercept(
      { process, operation: 'put', key, where: isReleasing },
      { kind: 'answer-lost', seenAs: 'TIMEOUT' },
    ),
    tools.intercept(
      { process, operation: 'get', key, where: hasReleased },
      { kind: 'request-lost', seenAs: 'TIMEOUT' },
    ),
  ];
  try {
    tools.reassign(node, [group], next);
    const isServed = (): boolean => next.log.log?.served(topicId, partition) !== undefined;
    if (!(await tools.until(900, isServed))) return;
    let isAcked = false;
    tools.appendTo(next, topicId, partition, () => {
      isAcked = true;
    });
    if (!(await tools.until(400, () => isAcked))) return;
    for (let count = 0; count < 3; count++) askEnd(world, node, topicId, partition);
    await tools.until(random.between(50, 300), () => node.log.sid !== sid);
  } finally {
    for (const loss of losses) loss.stop();
  }
}
