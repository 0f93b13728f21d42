import type { BrokerReady } from './broker-ready.ts';
import type { UpSettings } from './up-settings.ts';

/** To a broker of `firn up --zones`. `start` comes once, and first. */
export type SupervisorMessage =
  { readonly kind: 'start'; readonly settings: UpSettings } | { readonly kind: 'drain' };

/** From it. */
export interface ChildMessage {
  readonly kind: 'ready';
  readonly ready: BrokerReady;
}

/** Exit code of one whose id another process has taken: to start it again would be to fight for it. */
export const replacedCode = 3;
