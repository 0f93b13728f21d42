import { after, before } from 'node:test';
import { FirnCluster } from '../cluster/firn-cluster.ts';

/** Where the brokers of a suite are, once its tests run. */
export interface SuiteBrokers {
  /** All of them: `host:port,…`. */
  readonly bootstrap: string;
  /** For files of the tests; removed at the end. */
  readonly folder: string;
}

const zones = ['a', 'b', 'c'];

/** Call inside `describe`: brokers over a folder, each in a zone of its own, for all tests of the suite. */
export function suiteBrokers({ count = 3 }: { readonly count?: 1 | 3 } = {}): SuiteBrokers {
  let cluster: FirnCluster | undefined;
  before(async () => {
    cluster = await FirnCluster.start({ store: 'folder', zones: zones.slice(0, count) });
  });
  after(() => cluster?.stop());
  const started = (): FirnCluster => {
    if (cluster === undefined) throw new Error('the brokers of the suite are there while its tests run');
    return cluster;
  };
  return {
    get bootstrap() {
      return started().bootstrap;
    },
    get folder() {
      return started().folder;
    },
  };
}
