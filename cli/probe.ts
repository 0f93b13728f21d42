import { parseArgs } from 'node:util';
import { realRuntime } from '../dataplane/runtime/real-runtime.ts';
import { StoreError } from '../dataplane/store/errors.ts';
import type { ObjectStore } from '../dataplane/store/object-store.ts';
import { openStore } from '../dataplane/store/open.ts';
import { probeCases } from '../dataplane/store/probe/probe-cases.ts';
import { probeStore } from '../dataplane/store/probe/probe.ts';
import type { CaseReport, ProbeReport } from '../dataplane/store/probe/probe.ts';
import { UsageError } from './command.ts';
import type { Command, CommandIo, ExitCode } from './command.ts';

const defaultRounds = 30;
const defaultRacers = 32;

export const probeCommand: Command = {
  name: 'probe',
  summary: 'find out whether an object store keeps the promises that Firn rests on',
  usage: `usage: firn probe URL [options]

Writes, races for, reads and deletes objects below a fresh prefix probe-…/ of the store, and says whether Firn can trust
its conditional writes. With the defaults it uploads about 0.9 GB. URL is s3://BUCKET[/PREFIX][?endpoint=http://HOST:PORT&region=REGION] or file:///FOLDER;
credentials come from where AWS clients look for them (AWS_ACCESS_KEY_ID and so on).

  --rounds N       repeat races and visibility cases so often (default: ${defaultRounds}); before production: 1000
  --racers N       writers of one race, from 2 to 1000 (default: ${defaultRacers})
  --endpoint URL   probe through this endpoint as well: another node or gateway of the same store; may be repeated
  --json           print the report as one JSON object

Exit code: 0 accepted, 1 refused, 2 wrong usage, 3 could not be probed (unreachable, access denied, interrupted).`,

  async run(args, io) {
    const asked = parse(args);
    let rows = 0;
    try {
      const report = await probeStore({
        endpoints: asked.urls.map((url) => () => open(url, asked.racers)),
        runtime: realRuntime,
        rounds: asked.rounds,
        racers: asked.racers,
        signal: io.signal,
        onCase: (report) => {
          if (!asked.json && report.verdict !== 'skipped')
            io.out(rows++ === 0 ? header() + row(report) : row(report));
        },
      });
      io.out(asked.json ? `${JSON.stringify(report, undefined, 2)}\n` : footer(report));
      return exitCodes[report.verdict];
    } catch (error) {
      return couldNotBeProbed(error, asked, io);
    }
  },
};

const exitCodes: Readonly<Record<ProbeReport['verdict'], ExitCode>> = {
  accepted: 0,
  refused: 1,
  unprobed: 3,
};

interface Asked {
  /** One per endpoint, at least one. */
  readonly urls: readonly string[];
  readonly rounds: number;
  readonly racers: number;
  readonly json: boolean;
}

function parse(args: readonly string[]): Asked {
  const { values, positionals } = parseOptions(args);
  const [url, ...more] = positionals;
  if (url === undefined || more.length > 0) throw new UsageError(`give one URL, not ${positionals.length}`);
  return {
    urls: [url, ...(values.endpoint ?? []).map((endpoint) => withEndpoint(url, endpoint))],
    rounds: wholeNumber('--rounds', values.rounds, 1, 1_000_000),
    racers: wholeNumber('--racers', values.racers, 2, 1000),
    json: values.json,
  };
}

function parseOptions(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        rounds: { type: 'string', default: `${defaultRounds}` },
        racers: { type: 'string', default: `${defaultRacers}` },
        endpoint: { type: 'string', multiple: true },
        json: { type: 'boolean', default: false },
      },
    });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : 'the options are not understood', {
      cause: error,
    });
  }
}

function wholeNumber(option: string, text: string, min: number, max: number): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < min || value > max)
    throw new UsageError(
      `${option} is ${JSON.stringify(text)}; it must be a whole number from ${min} to ${max}`,
    );
  return value;
}

/** The same bucket and prefix behind another endpoint. */
function withEndpoint(text: string, endpoint: string): string {
  const url = URL.parse(text);
  if (url?.protocol !== 's3:') throw new UsageError(`--endpoint is for s3:// URLs, not for ${text}`);
  if (!URL.canParse(endpoint))
    throw new UsageError(`--endpoint is ${JSON.stringify(endpoint)}, which is not a URL`);
  url.searchParams.set('endpoint', endpoint);
  return url.href;
}

/** With as many connections as the race needs, so that all its writers are under way at once. */
function open(url: string, racers: number): Promise<ObjectStore> {
  return openStore(url, { runtime: realRuntime, maxConnections: racers });
}

function couldNotBeProbed(error: unknown, asked: Asked, io: CommandIo): ExitCode {
  if (error instanceof StoreError && error.details.operation === 'open' && error.code === 'INVALID_REQUEST')
    throw new UsageError(error.message, { cause: error });
  if (!(error instanceof StoreError) && !io.signal.aborted) throw error;
  const sentence = `${asked.urls[0] ?? ''} could not be probed: ${error instanceof Error ? error.message : 'interrupted'}`;
  if (asked.json) io.out(`${JSON.stringify({ verdict: 'unprobed', sentence }, undefined, 2)}\n`);
  else io.err(`${sentence}\n`);
  return 3;
}

const nameWidth = Math.max(...probeCases.map(({ name }) => name.length));
const resultWidth = 'unknown'.length;

function line(name: string, result: string, rounds: string, seconds: string, detail: string): string {
  const cells = [name.padEnd(nameWidth), result.padEnd(resultWidth), rounds.padStart(6), seconds.padStart(8)];
  return `${[...cells, detail].join('  ').trimEnd()}\n`;
}

function header(): string {
  return line('CASE', 'RESULT', 'ROUNDS', 'SECONDS', 'DETAIL');
}

function row({ name, description, verdict, rounds, durationMs, detail }: CaseReport): string {
  return line(
    name,
    verdict,
    `${rounds}`,
    (durationMs / 1000).toFixed(2),
    detail === '' ? description : detail,
  );
}

function footer({ sentence, leftovers, cases }: ProbeReport): string {
  const skipped = cases.filter(({ verdict }) => verdict === 'skipped').length;
  return [
    '',
    ...(skipped === 0 ? [] : [`${skipped} more cases were not run.`]),
    sentence,
    ...(leftovers === undefined
      ? []
      : [`Objects of the probe may be left below ${leftovers}: delete them once the store answers again.`]),
    '',
  ].join('\n');
}
