import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { promisify } from 'node:util';
import { Kafka, logLevel } from 'kafkajs';
import avro from 'avsc';
import { frameValue, framePrefixBytes, framedSchemaId } from '../../dataplane/schema/framing.ts';
import { startFirn, testFolder } from '../broker/firn-process.ts';
import type { FirnProcess } from '../broker/firn-process.ts';
import { installRealPart, skipUnless } from '../tools/real-part.ts';

const run = promisify(execFile);

describe('schema registry', async () => {
  let folder: Awaited<ReturnType<typeof testFolder>> | undefined;
  let firn: FirnProcess | undefined;

  async function start(): Promise<FirnProcess> {
    assert(folder);
    firn = await startFirn(`file:${folder.path}/data`, { logFile: path.join(folder.path, 'firn.log') });
    return firn;
  }
  before(async () => {
    folder = await testFolder();
    await start();
  });
  after(async () => {
    await firn?.process.stop();
    await folder?.remove();
  });

  async function registryUrl(): Promise<string> {
    const [, url] = /registry\s+(http:\S+)/.exec((await firn?.output()) ?? '') ?? [];
    assert(url);
    return url;
  }

  async function ask(method: string, url: string, body?: unknown): Promise<unknown> {
    const response = await fetch(`${await registryUrl()}${url}`, {
      method,
      headers: { 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const json: unknown = await response.json();
    assert.equal(response.status, 200, JSON.stringify(json));
    return json;
  }

  it(
    'confluent-kafka: registry client, Avro serializers',
    { skip: await skipUnless('pythonClients') },
    async () => {
      const python = await installRealPart('pythonClients');
      const program = path.join(import.meta.dirname, 'python/schema_registry_suite.py');
      const { stdout } = await run(python, [program, firn?.bootstrap ?? '', await registryUrl()]);
      assert.equal(stdout.match(/^ok /gm)?.length, 4, stdout);
    },
  );

  it('kafkajs with framing by hand; other topics of the registry are none of its clients', async () => {
    const schema = { type: 'record', name: 'Click', fields: [{ name: 'x', type: 'int' }] } as const;
    const { id } = (await ask('POST', '/subjects/clicks-value/versions', {
      schema: JSON.stringify(schema),
    })) as {
      id: number;
    };
    const type = avro.Type.forSchema(schema as unknown as avro.Schema);
    const kafka = new Kafka({ brokers: [firn?.bootstrap ?? ''], logLevel: logLevel.NOTHING });
    const producer = kafka.producer();
    await producer.connect();
    await producer.send({ topic: 'clicks', messages: [{ value: frameValue(id, type.toBuffer({ x: 7 })) }] });
    // The registry alone writes its topic.
    await assert.rejects(producer.send({ topic: '_schemas', messages: [{ value: 'mine' }] }));
    await producer.disconnect();
    const consumer = kafka.consumer({ groupId: 'clicks' });
    await consumer.connect();
    await consumer.subscribe({ topics: ['clicks'], fromBeginning: true });
    const value = await new Promise<Buffer | null>((resolve, reject) => {
      consumer
        .run({
          eachMessage: ({ message }) => {
            resolve(message.value);
            return Promise.resolve();
          },
        })
        .catch(reject);
    });
    await consumer.disconnect();
    assert(value);
    const { schema: text } = (await ask('GET', `/schemas/ids/${framedSchemaId(value)}`)) as {
      schema: string;
    };
    const read = avro.Type.forSchema(JSON.parse(text) as avro.Schema);
    assert.deepEqual({ ...(read.fromBuffer(value.subarray(framePrefixBytes)) as object) }, { x: 7 });
  });

  it('kill -9 after each answer: nothing of what was answered is lost, no id is given out twice', async () => {
    await ask('PUT', '/config/k', { compatibility: 'NONE' });
    const ids: number[] = [];
    for (let round = 0; round < 3; round++) {
      for (let i = 0; i < 3; i++) {
        const schema = JSON.stringify({ type: 'fixed', name: 'F', size: ids.length });
        const { id } = (await ask('POST', '/subjects/k/versions', { schema })) as { id: number };
        ids.push(id);
      }
      await firn?.process.kill();
      await start();
      assert.deepEqual(
        await ask('GET', '/subjects/k/versions'),
        ids.map((_, index) => index + 1),
      );
      for (const [size, id] of ids.entries()) {
        const { schema } = (await ask('GET', `/schemas/ids/${id}`)) as { schema: string };
        assert.deepEqual(JSON.parse(schema), { type: 'fixed', name: 'F', size });
      }
      assert.deepEqual(await ask('GET', '/config/k'), { compatibilityLevel: 'NONE' });
    }
    assert.equal(new Set(ids).size, ids.length);
  });
});
