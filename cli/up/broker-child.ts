/**
 * One of the brokers of `firn up --zones`, in a process of its own: its settings come over the channel to the supervisor
 * (`supervised-broker.ts`), and when that closes, because the supervisor is gone, it ends at once.
 */
import { inBackground } from '../../dataplane/runtime/in-background.ts';
import type { ChildMessage, SupervisorMessage } from './supervisor-message.ts';
import { runBroker } from './run-broker.ts';

function send(message: ChildMessage): void {
  process.send?.(message);
}

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
  else {
    const io = {
      // What there is to say of all of them the supervisor says.
      out: () => undefined,
      err: (text: string) => process.stderr.write(text),
      env: process.env,
      cwd: process.cwd(),
      signal: interrupted.signal,
    };
    const ended = runBroker(message.settings, io, (ready) => {
      send({ kind: 'ready', ready });
    });
    inBackground(ended.then((code) => process.exit(code)));
  }
});
