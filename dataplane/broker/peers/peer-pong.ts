import { Fields, ShapeProblem } from '../../cluster/json-fields.ts';
import { PeerProtocolError } from './peer-frame.ts';

/**
 * The answer to a ping: `{"storeAgeMs": 700}`, how long ago the broker has last read the store. A broker that is cut from
 * the store lives and answers, but can do nothing for its groups; others can.
 */
export function encodePong(storeAgeMs: number | undefined): unknown {
  return storeAgeMs === undefined ? undefined : { storeAgeMs: Math.max(0, Math.round(storeAgeMs)) };
}

/** `undefined`: it does not say. @throws PeerProtocolError */
export function decodePong(body: unknown): number | undefined {
  if (body === undefined) return undefined;
  try {
    return new Fields(body).integer('storeAgeMs', 0);
  } catch (error) {
    if (!(error instanceof ShapeProblem)) throw error;
    throw new PeerProtocolError(`the pong of another broker is wrong: ${error.path} ${error.message}`, {
      cause: error,
    });
  }
}
