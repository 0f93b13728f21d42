import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, it } from 'node:test';
import { realRuntime } from '../../runtime/real-runtime.ts';
import type { Counter, Order, Report } from './contender.ts';
import { openFileStore } from './open-file-store.ts';

const contenders = 8;

/** A child process and what it has reported. */
class Contender {
  readonly name: string;
  readonly #child: ChildProcess;
  readonly #exited: Promise<unknown>;
  readonly #reports = new EventEmitter();
  total = 0;
  lost = 0;
  killed = false;

  constructor(root: string, name: string) {
    this.name = name;
    this.#child = fork(path.join(import.meta.dirname, 'contender.ts'), [root, name], { execArgv: [] });
    this.#exited = once(this.#child, 'exit');
    this.#child.on('message', (report: Report) => {
      if (report.kind === 'counted') ({ total: this.total, lost: this.lost } = report);
      this.#reports.emit(report.kind, report);
    });
    this.#child.on('exit', (code) => {
      if (!this.killed && code !== 0)
        this.#reports.emit('error', new Error(`${name} ended with code ${code}`));
    });
  }

  order(order: Order): void {
    this.#child.send(order);
  }

  async next<K extends Report['kind']>(kind: K): Promise<Extract<Report, { kind: K }>> {
    const [report] = (await once(this.#reports, kind)) as [Extract<Report, { kind: K }>];
    return report;
  }

  async kill(): Promise<void> {
    this.killed = true;
    this.#child.kill('SIGKILL');
    await this.#exited;
  }

  async end(): Promise<void> {
    if (this.#child.connected) this.#child.disconnect();
    await this.#exited;
  }
}

async function withContenders(
  work: (root: string, all: Contender[], another: () => Promise<Contender>) => Promise<void>,
): Promise<void> {
  const root = await mkdtemp(path.join(tmpdir(), 'firn-processes-'));
  const all: Contender[] = [];
  const another = async (): Promise<Contender> => {
    const contender = new Contender(root, `contender-${all.length}`);
    all.push(contender);
    await contender.next('ready');
    return contender;
  };
  try {
    await Promise.all(Array.from({ length: contenders }, another));
    await work(root, all, another);
  } finally {
    await Promise.all(all.map((contender) => contender.end()));
    await rm(root, { recursive: true });
  }
}

describe('the file store between processes', () => {
  it('lets exactly one of them create an object, whose bytes and id stay', () =>
    withContenders(async (root, all) => {
      const store = await openFileStore(root, { runtime: realRuntime });
      for (let round = 0; round < 60; round++) {
        const key = `created/${round % 7}/${round}`;
        const reports = all.map((contender) => contender.next('created'));
        for (const contender of all) contender.order({ do: 'create', key });
        const won = (await Promise.all(reports)).map((report) => report.won);
        assert.equal(won.filter(Boolean).length, 1, `${won.filter(Boolean).length} won round ${round}`);
        const winner = all[won.indexOf(true)]?.name;
        const object = await store.get(key);
        assert.ok(object.kind === 'found');
        assert.equal(Buffer.from(object.body).toString(), winner);
        assert.equal(object.info.id, winner);
        assert.equal(await readFile(`${root}/${key}`, 'utf8'), winner);
      }
      await store.close();
    }));

  it('loses no compare-and-swap and invents none, while they are killed at any instant', () =>
    withContenders(async (root, all, another) => {
      const store = await openFileStore(root, { runtime: realRuntime });
      const key = 'pg/00/counter';
      await store.put(key, Buffer.from('{}'), { ifAbsent: true });
      for (const contender of all) contender.order({ do: 'count', key });
      const living = (): Contender[] => all.filter(({ killed }) => !killed);
      for (let kills = 0; kills < 12; kills++) {
        const victims = living();
        const victim = victims[Math.floor(Math.random() * victims.length)];
        assert.ok(victim !== undefined);
        await victim.next('counted');
        // Any instant of its next rounds, each of which takes some milliseconds.
        await new Promise((resolve) => setTimeout(resolve, Math.random() * 15));
        await victim.kill();
        const replacement = await another();
        replacement.order({ do: 'count', key });
      }
      const goals = living().map(async (contender) => {
        while (contender.total < 5) await contender.next('counted');
      });
      await Promise.all(goals);
      const ends = living().map((contender) => contender.next('stopped'));
      for (const contender of living()) contender.order({ do: 'stop' });
      await Promise.all(ends);

      const object = await store.get(key);
      assert.ok(object.kind === 'found');
      const counter = JSON.parse(Buffer.from(object.body).toString()) as Counter;
      for (const { name, total, killed } of all) {
        const counted = counter[name] ?? 0;
        // Of a killed one's last increment nobody knows whether it was acknowledged.
        const right = counted === total || (killed && counted === total + 1);
        assert.ok(
          right,
          `${name} counted ${total} times, ${killed ? 'was killed, ' : ''}the counter says ${counted}`,
        );
      }
      assert.equal(Object.keys(counter).length <= all.length, true);
      assert.equal(await readFile(`${root}/${key}`, 'utf8'), Buffer.from(object.body).toString());
      await store.close();

      await Promise.all(all.map((contender) => contender.end()));
      const last = await openFileStore(root, { runtime: realRuntime });
      assert.equal((await readdir(`${root}/.firn/tmp`)).length, 0, 'what the killed ones left is swept');
      await last.close();
    }));
});
