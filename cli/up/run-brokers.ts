import type { CommandIo, ExitCode } from '../command.ts';
import { brokersText } from './broker-ready.ts';
import type { BrokerReady } from './broker-ready.ts';
import { SupervisedBroker } from './supervised-broker.ts';
import type { UpSettings } from './up-settings.ts';

/**
 * Starts several brokers over one store, each in a process of its own, and keeps them running until it is interrupted: then
 * all hand over and end. They end with this process, however it ends.
 *
 * @param settings of at least one
 */
export async function runBrokers(settings: readonly UpSettings[], io: CommandIo): Promise<ExitCode> {
  const brokers = settings.map((each) => new SupervisedBroker(each, io));
  const drain = (): void => {
    for (const broker of brokers) broker.drain();
  };
  const onInterrupt = (): void => {
    io.out('handing over … (Ctrl-C again ends it at once)\n');
    drain();
  };
  if (io.signal.aborted) return 1;
  io.signal.addEventListener('abort', onInterrupt, { once: true });
  try {
    const ready: (BrokerReady | undefined)[] = [];
    const running: Promise<boolean>[] = [];
    const start = async (some: readonly SupervisedBroker[]): Promise<void> => {
      running.push(...some.map((broker) => broker.run()));
      ready.push(...(await Promise.all(some.map(({ firstReady }) => firstReady))));
    };
    // The first one finds out whether the store can be used, and makes it where it is new: what is wrong is said once.
    await start(brokers.slice(0, 1));
    if (ready[0] !== undefined && !io.signal.aborted) await start(brokers.slice(1));
    const all = ready.filter((one) => one !== undefined);
    const areAllReady = all.length === brokers.length;
    if (areAllReady) io.out(brokersText(all));
    else if (!io.signal.aborted) {
      if (all.length > 0) io.err('firn up: not all brokers could be started; the others are ended\n');
      drain();
    }
    const ended = await Promise.all(running);
    return areAllReady && ended.every(Boolean) ? 0 : 1;
  } finally {
    io.signal.removeEventListener('abort', onInterrupt);
  }
}
