import { realRuntime } from '../../dataplane/runtime/real-runtime.ts';
import { sleep } from '../../dataplane/runtime/runtime.ts';
import type { CommandIo, ExitCode } from '../command.ts';

/** Lets a broker hand over what it serves, for so long. The caller stops it. */
export async function drainBroker(
  broker: { drain(): Promise<void> },
  drainTimeoutMs: number,
  io: Pick<CommandIo, 'out' | 'err'>,
): Promise<ExitCode> {
  io.out('handing over … (Ctrl-C again ends it at once)\n');
  const done = new AbortController();
  const timeIsUp = sleep(realRuntime, drainTimeoutMs, done.signal).then(
    () => 'late' as const,
    () => undefined,
  );
  const end = await Promise.race([broker.drain(), timeIsUp]);
  done.abort();
  if (end !== 'late') return 0;
  io.err(
    `firn up: handing over took longer than ${drainTimeoutMs / 1000} s (--drain-timeout) and was given up; nothing that ` +
      'was acknowledged is lost: the next broker reads it as after a crash\n',
  );
  return 1;
}
