import { parseSlotKey, slotKey } from '../format/keys.ts';
import type { AmbushTools } from './ambush-tools.ts';
import type { BrokerNode } from './broker-node.ts';
import { askEnd } from './consumer.ts';
import type { Simulation } from './simulation.ts';

/**
 * An owner that the store hears but does not answer, except when asked whether an object is there. Its last slot has
 * landed, it goes on sending it, and it is fenced behind it without ever learning so. The others take over, flush and
 * sweep that slot, and acknowledge more. Then clients with old metadata ask it for the end of the log: that the slot it
 * has under way is not there must not count as "not fenced" (log.md P6).
 */
export async function deafOwner(world: Simulation, tools: AmbushTools, node: BrokerNode): Promise<void> {
  const { checker, random, store } = world;
  const { sid } = node.log;
  const group = random.pick([...(node.log.log?.groups ?? [])]);
  const session = node.log.log?.session;
  if (sid === undefined || session === undefined || group === undefined) return;
  const { topicId, partition } = random.pick([...group.partitions.values()]);
  world.note(`ambush: broker-${node.id} becomes deaf`);
  const isOwn = (): boolean => node.isAlive && node.log.sid === sid;
  const process = node.process.name;
  const deafness = [
    tools.intercept(
      { process, operation: 'put', where: ({ key }) => isOwn() && parseSlotKey(key)?.sid === sid },
      { kind: 'answer-lost', seenAs: 'TIMEOUT' },
    ),
    tools.intercept(
      { process, where: ({ operation }) => isOwn() && operation !== 'head' },
      { kind: 'request-lost', seenAs: 'TIMEOUT' },
    ),
  ];
  try {
    const slot = session.nextSlot;
    tools.appendTo(node, topicId, partition);
    if (!(await tools.until(300, () => store.peek(slotKey(sid, slot)) !== undefined))) return;
    tools.markDead(node);
    const isSwept = await tools.until(2_500, () => {
      if (random.chance(0.1)) tools.sweepElsewhere(node);
      return store.peek(slotKey(sid, slot)) === undefined || !isOwn();
    });
    if (!isSwept || !isOwn()) return;
    const history = checker.history(topicId, partition);
    const before = history.ackedEnd;
    const leads = (): BrokerNode | undefined =>
      tools
        .candidates()
        .find((other) => other !== node && other.log.log?.served(topicId, partition) !== undefined);
    await tools.until(500, () => {
      const leader = leads();
      if (leader !== undefined && random.chance(0.2)) tools.appendTo(leader, topicId, partition);
      return history.ackedEnd > before;
    });
    for (let count = 0; count < 3; count++) askEnd(world, node, topicId, partition);
    await tools.until(random.between(50, 300), () => !isOwn());
  } finally {
    for (const interception of deafness) interception.stop();
  }
}
