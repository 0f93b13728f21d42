import path from 'node:path';
import { after, before } from 'node:test';
import { startFirn, testFolder } from '../broker/firn-process.ts';
import type { FirnProcess } from '../broker/firn-process.ts';

/** Where the broker of a suite is, once its tests run. */
export interface SuiteBroker {
  readonly bootstrap: string;
  /** For files of the tests; removed at the end. */
  readonly folder: string;
}

/** Call inside `describe`: one broker over a folder for all tests of the suite. */
export function suiteBroker(): SuiteBroker {
  let folder: Awaited<ReturnType<typeof testFolder>> | undefined;
  let firn: FirnProcess | undefined;
  before(async () => {
    folder = await testFolder();
    firn = await startFirn(`file:${folder.path}/data`, { logFile: path.join(folder.path, 'firn.log') });
  });
  after(async () => {
    await firn?.process.stop();
    await folder?.remove();
  });
  const started = <T>(value: T | undefined): T => {
    if (value === undefined) throw new Error('the broker of the suite is there while its tests run');
    return value;
  };
  return {
    get bootstrap() {
      return started(firn).bootstrap;
    },
    get folder() {
      return started(folder).path;
    },
  };
}
