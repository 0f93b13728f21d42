import { clusterIdPattern } from '../../cluster/cluster-json.ts';
import { Fields, ShapeProblem } from '../../cluster/json-fields.ts';
import { PeerProtocolError } from './peer-frame.ts';

/** Versions of the protocol between brokers that this program speaks. A later one says here what changed. */
export const peerVersions = { min: 1, max: 1 } as const;

/** One session of a broker, as others know it. */
export interface PeerSelf {
  readonly clusterId: string;
  readonly id: number;
  readonly sid: string;
}

/** How a broker introduces itself: the first frame in either direction. */
export interface PeerHello extends PeerSelf {
  readonly versions: { readonly min: number; readonly max: number };
  /** Whom the dialing side wants to speak to. The other side repeats its own id. */
  readonly to: number;
}

/** @throws PeerProtocolError */
export function decodeHello(body: unknown): PeerHello {
  try {
    const fields = new Fields(body);
    return {
      versions: fields.nested('versions', (value) => {
        const versions = new Fields(value);
        return { min: versions.integer('min', 0), max: versions.integer('max', 0) };
      }),
      clusterId: fields.text('clusterId', clusterIdPattern),
      id: fields.integer('id', 0),
      sid: fields.text('sid', /^[0-9a-f]{32}$/),
      to: fields.integer('to', 0),
    };
  } catch (error) {
    if (!(error instanceof ShapeProblem)) throw error;
    throw new PeerProtocolError(`the hello of another broker is wrong: ${error.path} ${error.message}`, {
      cause: error,
    });
  }
}

/** Why two brokers cannot work together; `undefined`: they can. */
export function helloProblem(own: Pick<PeerSelf, 'id' | 'clusterId'>, other: PeerHello): string | undefined {
  if (other.clusterId !== own.clusterId)
    return `broker ${other.id} belongs to cluster ${other.clusterId}, broker ${own.id} to ${own.clusterId}: they have different stores`;
  if (other.to !== own.id)
    return `broker ${other.id} looks for broker ${other.to}, but this is broker ${own.id}`;
  const { min, max } = other.versions;
  if (max < peerVersions.min || min > peerVersions.max)
    return `broker ${other.id} speaks versions ${min} to ${max} of the protocol between brokers, broker ${own.id} ${peerVersions.min} to ${peerVersions.max}: upgrade by one release at a time`;
  return undefined;
}
