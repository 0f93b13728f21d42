import type { BrokerLog } from '../../log/broker-log.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import type { DurableQuestion } from './cluster-methods.ts';

/**
 * Waits until a slot above `slot` of this broker's session is durable, with all before it; `waitMs` at most. Resolves with the
 * last one that is, -1 if none. `undefined`: the session is not this broker's, or has ended.
 */
export async function durableSlot(
  log: Pick<BrokerLog, 'log'>,
  runtime: Runtime,
  { sid, slot, waitMs }: DurableQuestion,
  signal: AbortSignal,
): Promise<number | undefined> {
  const session = log.log?.session;
  if (session?.sid !== sid || !session.live) return undefined;
  const over = new AbortController();
  const end = (): void => {
    over.abort();
  };
  const cancel = runtime.after(waitMs, end);
  signal.addEventListener('abort', end, { once: true });
  while (session.live && session.durableEnd - 1 <= slot && !over.signal.aborted && !signal.aborted)
    await session.advance(over.signal);
  cancel();
  signal.removeEventListener('abort', end);
  return session.live ? session.durableEnd - 1 : undefined;
}
