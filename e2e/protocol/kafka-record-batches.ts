/** Kafka's own record batches, run by `e2e/java/RecordBatches.java`. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { installRealPart } from '../tools/real-part.ts';

const program = path.join(import.meta.dirname, '../java/RecordBatches.java');

/** What a consumer sees of the batches; an exception when it cannot read them. */
export type BatchesSeen = readonly BatchSeen[] | { readonly exception: string };

export interface BatchSeen {
  readonly baseOffset: number;
  readonly lastOffset: number;
  readonly leaderEpoch: number;
  readonly codec: string;
  readonly timestampType: string;
  readonly maxTimestampMs: number;
  readonly producerId: number;
  readonly producerEpoch: number;
  readonly baseSequence: number;
  readonly transactional: boolean;
  readonly control: boolean;
  readonly records: readonly RecordSeen[];
}

/** Bytes as hexadecimal digits. */
export interface RecordSeen {
  readonly offset: number;
  readonly timestampMs: number;
  readonly key: string | null;
  readonly value: string | null;
  readonly headers: readonly (readonly [key: string, value: string | null])[];
}

/** What a broker answers to a producer. */
export interface AppendAnswer {
  readonly error: string;
  /** Exception and message. */
  readonly why?: string;
  readonly maxTimestampMs?: number;
}

export async function readByKafka(inputs: readonly Uint8Array[]): Promise<BatchesSeen[]> {
  return (await ask('read', inputs)).map((line) => JSON.parse(line) as BatchesSeen);
}

export async function appendToKafka(inputs: readonly Uint8Array[]): Promise<AppendAnswer[]> {
  return (await ask('append', inputs)).map((line) => JSON.parse(line) as AppendAnswer);
}

async function ask(command: string, inputs: readonly Uint8Array[]): Promise<string[]> {
  const jars = await installRealPart('kafka');
  const args = ['-cp', path.join(jars, '*'), program, command];
  const java = spawn('java', args, { stdio: ['pipe', 'pipe', 'inherit'] });
  const exited = once(java, 'exit');
  java.stdin.end(inputs.map((bytes) => `${Buffer.from(bytes).toString('hex')}\n`).join(''));
  const output = await text(java.stdout);
  const [code] = (await exited) as [number | null];
  const lines = output.split('\n').slice(0, -1);
  if (code !== 0 || lines.length !== inputs.length) {
    throw new Error(`RecordBatches ended with ${code} after ${lines.length} of ${inputs.length} answers`);
  }
  return lines;
}
