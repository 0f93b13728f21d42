import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { promisify } from 'node:util';
import { javaTool } from '../clients/java-tools.ts';
import type { JavaTool } from '../clients/java-tools.ts';
import { firn } from '../cli/firn-cli.ts';
import { skipUnless } from '../tools/real-part.ts';
import { startFirn, testFolder } from './firn-process.ts';
import type { FirnProcess } from './firn-process.ts';

const withoutKafka = await skipUnless('kafka');
const root = path.join(import.meta.dirname, '../..');
const run = promisify(execFile);

/** The code blocks below a heading of docs/kafka.md, by language. */
async function blocks(heading: string, language: string): Promise<string[]> {
  const text = await readFile(path.join(root, 'docs/kafka.md'), 'utf8');
  const section = text.split(/^## /m).find((part) => part.startsWith(heading)) ?? '';
  const pattern = new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\``, 'gms');
  return [...section.matchAll(pattern)].map(([, code = '']) => code);
}

/** The one line of shell in these blocks that is more than words: `echo 'TEXT' | COMMAND`. */
function parseLine(line: string): { readonly words: readonly string[]; readonly input: string } {
  const [, text = '', command = line] = /^echo '(.*)' \| (.*)$/.exec(line) ?? [];
  return { words: command.split(' '), input: text === '' ? '' : `${text}\n` };
}

describe('what docs/kafka.md says', () => {
  let folder: Awaited<ReturnType<typeof testFolder>>;
  let broker: FirnProcess;

  before(async () => {
    folder = await testFolder();
    broker = await startFirn(`file:${folder.path}/data`, { logFile: path.join(folder.path, 'firn.log') });
  });
  after(async () => {
    await broker.process.stop();
    await folder.remove();
  });

  it("Firn's own commands", async () => {
    const [block = ''] = await blocks("Firn's own commands", 'sh');
    const lines = block.trim().split('\n');
    assert.equal(lines.length, 7);
    for (const line of lines) {
      const { words, input } = parseLine(line);
      assert.deepEqual(words.slice(0, 2), ['npx', 'firn'], line);
      const { code, out, err } = await firn(broker, words.slice(2), { input });
      assert.equal(code, 0, `${line}: ${err}`);
      if (words[2] === 'consume') assert.match(out, /"key":"alice","value":"2 apples"/);
    }
  });

  it('kafkajs', async () => {
    const [block = ''] = await blocks('kafkajs', 'js');
    const code = block.replace('127.0.0.1:9092', broker.bootstrap);
    assert.notEqual(code, block);
    const { stdout } = await run(process.execPath, ['--input-type=module', '-e', code], { cwd: root });
    assert.match(stdout, /^\d \d bob 3 pears$/m);
  });

  it('the console tools of Apache Kafka', { skip: withoutKafka }, async () => {
    const [block = ''] = await blocks('The console tools', 'sh');
    const lines = block.trim().split('\n');
    assert.equal(lines.length, 6);
    for (const line of lines) {
      const { words, input } = parseLine(line);
      const [script = '', option, address, ...args] = words;
      assert.deepEqual([option, address], ['--bootstrap-server', '127.0.0.1:9092'], line);
      const tool = path.basename(script, '.sh') as JavaTool;
      const { code, out, err } = await javaTool(tool, broker.bootstrap, args, input);
      assert.equal(code, 0, `${line}\n${out}\n${err}`);
      if (tool === 'kafka-console-consumer') assert.match(out, /^\/home$/m);
    }
  });
});
