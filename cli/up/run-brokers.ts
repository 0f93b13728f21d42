import type { CommandIo, ExitCode } from '../command.ts';
import { brokersText } from './broker-ready.ts';
import type { BrokerReady } from './broker-ready.ts';
import { SupervisedBroker } from './supervised-broker.ts';
import type { UpSettings } from './up-settings.ts';

/**
 * Starts several brokers over one store, each in a process of its own, and keeps them running until it is interrupted: then
 * all hand over and end. They end with this process, however it ends.
 */
export async function runBrokers(settings: readonly UpSettings[], io: CommandIo): Promise<ExitCode> {
  const brokers: SupervisedBroker[] = [];
  const running: Promise<boolean>[] = [];
  const drain = (): void => {
    for (const broker of brokers) broker.drain();
  };
  const onInterrupt = (): void => {
    io.out('handing over … (Ctrl-C again ends it at once)\n');
    drain();
  };
  io.signal.addEventListener('abort', onInterrupt, { once: true });
  const ready: BrokerReady[] = [];
  // One after the other: zones have their indexes in the order of their names here, and one makes the store for all.
  for (const each of settings) {
    if (io.signal.aborted) break;
    const broker = new SupervisedBroker(each, io);
    brokers.push(broker);
    running.push(broker.run());
    const started = await broker.firstReady.catch(() => undefined);
    if (started === undefined) break;
    ready.push(started);
  }
  const areAllReady = ready.length === settings.length;
  if (areAllReady) io.out(brokersText(ready));
  else {
    if (!io.signal.aborted) io.err('firn up: not all brokers could be started; the others are ended\n');
    drain();
  }
  const ended = await Promise.all(running);
  io.signal.removeEventListener('abort', onInterrupt);
  return areAllReady && ended.every(Boolean) ? 0 : 1;
}
