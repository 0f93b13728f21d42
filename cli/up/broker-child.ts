/**
 * One of the brokers of `firn up --zones`, in a process of its own: its settings come over the channel to the supervisor
 * (`supervised-broker.ts`), and when that closes, because the supervisor is gone, it ends at once.
 */
import { inBackground } from '../../dataplane/runtime/in-background.ts';
import { replacedCode } from './supervisor-message.ts';
import type { ChildMessage, SupervisorMessage } from './supervisor-message.ts';
import { runBroker } from './run-broker.ts';
import type { UpSettings } from './up-settings.ts';

const interrupted = new AbortController();
const drain = (): void => {
  interrupted.abort(new Error('interrupted by the supervisor'));
};
// Ctrl-C reaches all processes of a terminal: when to drain is the supervisor's to say.
process.on('SIGINT', () => undefined);
process.on('SIGTERM', drain);
process.on('disconnect', () => {
  process.exit(1);
});
process.on('message', (message: SupervisorMessage) => {
  if (message.kind === 'drain') drain();
  else inBackground(run(message.settings));
});

async function run(settings: UpSettings): Promise<void> {
  let isReplaced = false;
  const io = {
    // What there is to say of all of them the supervisor says.
    out: () => undefined,
    err: (text: string) => process.stderr.write(text),
    env: process.env,
    cwd: process.cwd(),
    signal: interrupted.signal,
  };
  const code = await runBroker(settings, io, {
    onReady: (ready) => {
      process.send?.({ kind: 'ready', ready } satisfies ChildMessage);
    },
    onReplaced: () => {
      isReplaced = true;
    },
  });
  process.exit(isReplaced ? replacedCode : code);
}
