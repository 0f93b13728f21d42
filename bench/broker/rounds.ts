import { median } from '../report.ts';
import type { Figures } from '../harness.ts';
import { cpuSeconds } from './peer.ts';
import type { Peer } from './peer.ts';

export interface RoundCost {
  readonly seconds: number;
  /** What was done: gigabytes, thousands of requests, … */
  readonly amount: number;
}

interface Round {
  /** Amount a second. */
  readonly speed: number;
  /** CPU seconds of the broker for one of the amount. */
  readonly cpu: number;
}

/** A side is warm when its last two rounds cost nearly the same. */
const warmWithin = 0.1;
const maxWarmUpRounds = 4;

/** Both brokers of a comparison, by name. */
export type Sides = { readonly firn: Peer; readonly kafka: Peer };

/**
 * Rounds of one load against Firn and against Kafka, in turn, so that what disturbs the machine disturbs both. Each side is
 * warmed up first, until two rounds differ by less than 10 %, four at most; the last difference is a figure. The ratios
 * are medians over pairs of rounds, Firn's over Kafka's.
 */
export async function compare(
  sides: Sides,
  rounds: number,
  names: { readonly speed: string; readonly cpu: string },
  load: (peer: Peer, side: keyof Sides) => Promise<RoundCost>,
): Promise<Figures> {
  const round = async (side: keyof Sides): Promise<Round> => {
    const before = await cpuSeconds(sides[side]);
    const { seconds, amount } = await load(sides[side], side);
    return { speed: amount / seconds, cpu: ((await cpuSeconds(sides[side])) - before) / amount };
  };
  const lastDifference = {
    firn: await warmUp(() => round('firn')),
    kafka: await warmUp(() => round('kafka')),
  };
  const pairs: { readonly firn: Round; readonly kafka: Round }[] = [];
  for (let pair = 0; pair < rounds; pair++) {
    // Who comes first changes.
    if (pair % 2 === 0) pairs.push({ firn: await round('firn'), kafka: await round('kafka') });
    else {
      const kafka = await round('kafka');
      pairs.push({ firn: await round('firn'), kafka });
    }
  }
  const middle = (value: (pair: (typeof pairs)[number]) => number): number => median(pairs.map(value));
  return {
    [`firn${names.speed}`]: middle(({ firn }) => firn.speed),
    [`kafka${names.speed}`]: middle(({ kafka }) => kafka.speed),
    [`firn${names.cpu}`]: middle(({ firn }) => firn.cpu),
    [`kafka${names.cpu}`]: middle(({ kafka }) => kafka.cpu),
    speedVsKafka: middle(({ firn, kafka }) => firn.speed / kafka.speed),
    cpuVsKafka: middle(({ firn, kafka }) => firn.cpu / kafka.cpu),
    firnLastWarmUpDifference: lastDifference.firn,
    kafkaLastWarmUpDifference: lastDifference.kafka,
  };
}

/** Returns by how much the last two rounds differed. */
async function warmUp(round: () => Promise<Round>): Promise<number> {
  let { cpu } = await round();
  let difference = Infinity;
  for (let rounds = 1; rounds < maxWarmUpRounds && difference >= warmWithin; rounds++) {
    const next = await round();
    difference = Math.abs(next.cpu - cpu) / cpu;
    ({ cpu } = next);
  }
  return difference;
}
