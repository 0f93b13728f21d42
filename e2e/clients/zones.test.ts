import assert from 'node:assert/strict';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { pathToFileURL } from 'node:url';
import { startFirn, testFolder } from '../broker/firn-process.ts';
import type { FirnProcess } from '../broker/firn-process.ts';
import { skipUnless } from '../tools/real-part.ts';
import { javaTool } from './java-tools.ts';
import type { JavaTool } from './java-tools.ts';

const zones = ['zone-a', 'zone-b', 'zone-c'] as const;

describe('consumers of three zones', { skip: await skipUnless('kafka') }, () => {
  const brokers: FirnProcess[] = [];
  let folder: Awaited<ReturnType<typeof testFolder>>;

  before(async () => {
    folder = await testFolder();
    const url = pathToFileURL(path.join(folder.path, 'data')).href;
    for (const zone of zones) {
      const logFile = path.join(folder.path, `${zone}.log`);
      brokers.push(await startFirn(url, { logFile, args: ['--zone', zone] }));
    }
  });

  after(async () => {
    await Promise.all(brokers.map((broker) => broker.process.stop()));
    await folder.remove();
  });

  async function tool(name: JavaTool, args: readonly string[], input = ''): Promise<string> {
    const { code, out, err } = await javaTool(name, brokers[0]?.bootstrap, args, input);
    assert.equal(code, 0, `${name} ${args.join(' ')} ended with ${code}:\n${out}\n${err}`);
    return out;
  }

  /** Bytes of records that were fetched, by `from>to`. */
  async function fetched(): Promise<ReadonlyMap<string, number>> {
    const sums = new Map<string, number>();
    for (const { adminUrl } of brokers) {
      const text = await (await fetch(`${adminUrl}/metrics`)).text();
      for (const line of text.split('\n')) {
        const match = /^firn_zone_bytes_total\{from="([^"]*)",to="([^"]*)",reason="fetch".*\} (\d+)/.exec(
          line,
        );
        if (match === null) continue;
        const pair = `${match[1]}>${match[2]}`;
        sums.set(pair, (sums.get(pair) ?? 0) + Number(match[3]));
      }
    }
    return sums;
  }

  const lines = Array.from({ length: 300 }, (_, at) => `line ${at} ${'x'.repeat(500)}`);

  it('a topic names a replica in every zone', async () => {
    await tool('kafka-topics', ['--create', '--topic', 'lines', '--partitions', '6']);
    const described = await tool('kafka-topics', ['--describe', '--topic', 'lines']);
    for (const [, replicas = ''] of described.matchAll(/Replicas: (\S+)/g))
      assert.equal(new Set(replicas.split(',')).size, 3, described);
    await tool('kafka-console-producer', ['--topic', 'lines'], `${lines.join('\n')}\n`);
  });

  for (const protocol of ['classic', 'consumer'] as const) {
    it(`client.rack brings a consumer of the ${protocol} protocol to the broker of its zone`, async () => {
      for (const zone of zones) {
        const before = await fetched();
        const out = await tool(
          'kafka-console-consumer',
          words(
            `--topic lines --from-beginning --max-messages ${lines.length} --timeout-ms 60000 ` +
              `--group ${protocol}-${zone} --command-property group.protocol=${protocol} --command-property client.rack=${zone}`,
          ),
        );
        assert.deepEqual(out.trimEnd().split('\n').toSorted(), lines.toSorted());
        const now = await fetched();
        for (const [pair, bytes] of now) {
          if (!pair.endsWith(`>${zone}`)) continue;
          const grown = bytes - (before.get(pair) ?? 0);
          if (pair === `${zone}>${zone}`)
            assert(grown >= 150_000, `only ${grown} bytes came from the own zone`);
          else assert.equal(grown, 0, `${grown} bytes went ${pair}`);
        }
      }
    });
  }

  it('a client id or an address says the zone too', async () => {
    const consume = async (group: string, more = ''): Promise<void> => {
      const out = await tool(
        'kafka-console-consumer',
        words(
          `--topic lines --from-beginning --max-messages ${lines.length} --timeout-ms 60000 --group ${group} ${more}`,
        ),
      );
      assert.equal(out.trimEnd().split('\n').length, lines.length);
    };
    const crossed = async (): Promise<number> => {
      let sum = 0;
      for (const [pair, bytes] of await fetched()) {
        const [from, to] = pair.split('>');
        if (from !== to) sum += bytes;
      }
      return sum;
    };
    const before = await crossed();
    await consume('named', '--command-property client.id=app,ws_az=zone-b');
    await tool(
      'kafka-configs',
      words(
        '--alter --entity-type brokers --entity-default --add-config firn.zone.cidrs=[zone-c@127.0.0.0/8,::1]',
      ),
    );
    await new Promise((resolve) => setTimeout(resolve, 2_000));
    await consume('addressed');
    assert.equal(await crossed(), before);
  });
});

function words(text: string): string[] {
  return text.trim().split(/\s+/);
}
