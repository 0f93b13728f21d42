import { parseArgs } from 'node:util';
import { findingText, summaryText } from '../dataplane/log/inspect/finding-text.ts';
import type { Finding } from '../dataplane/log/inspect/finding.ts';
import { describeObject } from '../dataplane/log/inspect/object-description.ts';
import { objectText } from '../dataplane/log/inspect/object-text.ts';
import { overviewOf } from '../dataplane/log/inspect/overview.ts';
import { overviewText } from '../dataplane/log/inspect/overview-text.ts';
import { verifyLog } from '../dataplane/log/inspect/verify.ts';
import { realRuntime } from '../dataplane/runtime/real-runtime.ts';
import { StoreError } from '../dataplane/store/errors.ts';
import type { ObjectStore } from '../dataplane/store/object-store.ts';
import { openStore } from '../dataplane/store/open.ts';
import { UsageError } from './command.ts';
import type { Command, CommandIo, ExitCode } from './command.ts';

export const logCommand: Command = {
  name: 'log',
  summary: 'look at the log in an object store, and check it',
  usage: `usage: firn log inspect URL [--partitions] [--json]
       firn log inspect URL KEY [--json]
       firn log verify URL [--deep] [--json]

Both only read, also while brokers are at work. URL is that of the brokers: s3://BUCKET[/PREFIX][?endpoint=…&region=…] or
file:///FOLDER. docs/log.md explains what lies in a bucket, and every finding.

inspect  shows what the bucket holds: cluster, sessions, partition groups, unknown keys; with a KEY what one object holds
  --partitions   where the log of every partition starts and ends
  --json         one JSON object

verify   checks that everything is there, can be read, and fits together
  --deep         read all record bytes too and check their CRCs: as much as there is in the bucket
  --json         one JSON object with summary and findings

Exit code: 0 done (verify: no errors, perhaps warnings), 1 verify found errors, or inspect an object that is damaged or
missing, 2 wrong usage, 3 the store could not be read.`,

  async run(args, io) {
    const asked = parse(args);
    let store: ObjectStore | undefined;
    try {
      store = await openStore(asked.url, { runtime: realRuntime, create: false });
      return await run(asked, store, io);
    } catch (error) {
      return couldNotRead(error, asked, io);
    } finally {
      await store?.close();
    }
  },
};

type Asked = { readonly url: string; readonly json: boolean } & (
  | { readonly what: 'overview'; readonly partitions: boolean }
  | { readonly what: 'object'; readonly key: string }
  | { readonly what: 'verify'; readonly deep: boolean }
);

function parse(args: readonly string[]): Asked {
  const { values, positionals } = parseOptions(args);
  const [what, url, key, ...more] = positionals;
  const { json, deep, partitions } = values;
  if (what !== 'inspect' && what !== 'verify') {
    throw new UsageError(`the first word is "inspect" or "verify", not ${JSON.stringify(what ?? 'nothing')}`);
  }
  if (url === undefined) throw new UsageError('URL is missing');
  if (more.length > 0 || (what === 'verify' && key !== undefined)) {
    throw new UsageError(`${JSON.stringify((what === 'verify' ? key : more[0]) ?? '')} is one word too many`);
  }
  if (what === 'verify') {
    if (partitions) throw new UsageError('--partitions is an option of inspect');
    return { what, url, json, deep };
  }
  if (deep) throw new UsageError('--deep is an option of verify');
  if (key === undefined) return { what: 'overview', url, json, partitions };
  if (partitions) throw new UsageError('--partitions is for the whole bucket, not for one object');
  return { what: 'object', url, json, key };
}

function parseOptions(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        json: { type: 'boolean', default: false },
        deep: { type: 'boolean', default: false },
        partitions: { type: 'boolean', default: false },
      },
    });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : 'the options are not understood', {
      cause: error,
    });
  }
}

async function run(asked: Asked, store: ObjectStore, io: CommandIo): Promise<ExitCode> {
  const print = (value: unknown, text: () => string): void => {
    io.out(asked.json ? `${JSON.stringify(value, undefined, 2)}\n` : text());
  };
  switch (asked.what) {
    case 'overview': {
      const overview = await overviewOf(store, { partitions: asked.partitions, signal: io.signal });
      print(overview, () => overviewText(overview));
      return 0;
    }
    case 'object': {
      const description = await describeObject(store, asked.key, io.signal);
      if (description === undefined) {
        io.err(
          `${store.name} has no object ${JSON.stringify(asked.key)}: it was deleted, or never existed\n`,
        );
        return 1;
      }
      print(description, () => objectText(description));
      return description.problem === undefined ? 0 : 1;
    }
    case 'verify': {
      const findings: Finding[] = [];
      const summary = await verifyLog(store, {
        runtime: realRuntime,
        deep: asked.deep,
        signal: io.signal,
        onFinding: (finding) => {
          if (asked.json) findings.push(finding);
          else io.out(findingText(finding));
        },
        onProgress: (what) => {
          if (!asked.json) io.err(`${what} …\n`);
        },
      });
      print({ ...summary, findings }, () => summaryText(summary));
      return summary.totals.error > 0 ? 1 : 0;
    }
  }
}

function couldNotRead(error: unknown, asked: Asked, io: CommandIo): ExitCode {
  if (error instanceof StoreError && error.details.operation === 'open' && error.code === 'INVALID_REQUEST') {
    throw new UsageError(error.message, { cause: error });
  }
  if (!(error instanceof StoreError) && !io.signal.aborted) throw error;
  const why = error instanceof Error ? error.message : 'interrupted';
  io.err(`${asked.url} could not be read to the end: ${why}\n`);
  return 3;
}
