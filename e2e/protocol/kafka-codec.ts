/** Kafka's own codecs, run by `e2e/java/KafkaCodec.java`. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { installRealPart } from '../tools/real-part.ts';

const program = path.join(import.meta.dirname, '../java/KafkaCodec.java');

/** Answers the commands, which the program describes, in their order: the fields of each after its "ok". */
export async function askKafkaCodec(commands: readonly (readonly string[])[]): Promise<string[][]> {
  const jars = await installRealPart('kafkaCodec');
  const java = spawn('java', ['-cp', path.join(jars, '*'), program], { stdio: ['pipe', 'pipe', 'inherit'] });
  const exited = once(java, 'exit');
  java.stdin.end(commands.map((command) => `${command.join('\t')}\n`).join(''));
  const output = await text(java.stdout);
  const [code] = (await exited) as [number | null];
  const lines = output.split('\n').slice(0, -1);
  if (code !== 0 || lines.length !== commands.length) {
    throw new Error(`KafkaCodec ended with ${code} after ${lines.length} of ${commands.length} answers`);
  }
  return lines.map((line, i) => {
    const [result, ...fields] = line.split('\t');
    if (result !== 'ok') throw new Error(`Kafka: ${commands[i]?.join(' ')}: ${fields.join(' ')}`);
    return fields;
  });
}
