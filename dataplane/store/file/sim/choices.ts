import type { Random } from '../../../runtime/runtime.ts';
import type { Choice, Step } from './step-scheduler.ts';

/** Ways to choose who takes the next step; each finds other interleavings than the others. */
export const strategies = {
  /** Everybody all the time. */
  even: (random: Random): Choice => {
    return (waiting) => pick(clientsOf(waiting), random);
  },
  /** Long stretches of one client, so that the others stand still for long. */
  stretches: (random: Random): Choice => {
    let current = -1;
    return (waiting) => {
      const clients = clientsOf(waiting);
      if (!clients.includes(current) || random.uint32() % 16 === 0) current = pick(clients, random);
      return current;
    };
  },
  /** Strict priorities that change a few times: clients stop at one place until all others are done. */
  priorities: (random: Random): Choice => {
    const priorities = new Map<number, number>();
    const priorityOf = (client: number): number => {
      const known = priorities.get(client) ?? random.uint32();
      priorities.set(client, known);
      return known;
    };
    return (waiting) => {
      const first = clientsOf(waiting).reduce((best, client) =>
        priorityOf(client) > priorityOf(best) ? client : best,
      );
      if (random.uint32() % 40 === 0) priorities.set(first, -random.uint32());
      return first;
    };
  },
  /** Clients stop beside the calls that decide: those that give names, take them away, or look for them. */
  decisive: (random: Random): Choice => {
    const asleepUntil = new Map<number, number>();
    let now = 0;
    let last: Step | undefined;
    const sleepAt = (step: Step): void => {
      if (random.uint32() % 6 !== 0) return;
      asleepUntil.set(step.client, now + (random.uint32() % 4 === 0 ? Infinity : random.uint32() % 150));
    };
    return (waiting) => {
      now++;
      if (last !== undefined && isDecisive(last)) sleepAt(last);
      const clients = clientsOf(waiting);
      const awake = clients.filter((client) => (asleepUntil.get(client) ?? 0) <= now);
      if (awake.length === 0) for (const client of clients) asleepUntil.delete(client);
      const client = pick(awake.length === 0 ? clients : awake, random);
      last = waiting.find((step) => step.client === client);
      if (last !== undefined && isDecisive(last) && awake.length > 1) sleepAt(last);
      if ((asleepUntil.get(client) ?? 0) <= now) return client;
      // It has just fallen asleep before its call: another one goes on.
      const others = awake.filter((other) => other !== client);
      const other = pick(others, random);
      last = waiting.find((step) => step.client === other);
      return other;
    };
  },
} as const satisfies Record<string, (random: Random) => Choice>;

function isDecisive({ what }: Step): boolean {
  return /^(link|symlink|unlink|rename|readdir) /.test(what) && !/\/meta\//.test(what);
}

function clientsOf(waiting: readonly Step[]): number[] {
  return [...new Set(waiting.map(({ client }) => client))];
}

function pick(clients: readonly number[], random: Random): number {
  return clients[random.uint32() % clients.length] ?? 0;
}
