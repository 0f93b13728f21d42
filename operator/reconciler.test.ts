import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { inBackground } from '../dataplane/runtime/in-background.ts';
import { createLogger } from '../dataplane/runtime/logger.ts';
import { VirtualRandom } from '../dataplane/runtime/virtual-random.ts';
import { VirtualTime } from '../dataplane/runtime/virtual-time.ts';
import { standardConditions } from './conditions.ts';
import { ApiError } from './errors.ts';
import type { EventFacts } from './events.ts';
import { OperatorMetrics } from './metrics.ts';
import { known, observe } from './observation.ts';
import type { Observation } from './observation.ts';
import { Reconciler } from './reconciler.ts';
import type {
  Action,
  CompleteStatus,
  Controller,
  DesiredStatus,
  ObjectWithStatus,
  Outcome,
  Plan,
} from './reconciler.ts';
import { WorkQueue } from './work-queue.ts';

/** An object that wants so many parts to exist. */
interface Machine extends ObjectWithStatus {
  readonly spec: { readonly parts: number };
}

interface Seen {
  readonly parts: Observation<readonly string[]>;
}

type MachineAction = Action & { readonly kind: 'make' | 'remove'; readonly part: string };

/** Where calls go wrong: `before` the effect or `after` it. */
type Failing = (step: string) => { readonly when: 'before' | 'after'; readonly error: Error } | undefined;

class World implements Controller<Machine, Seen, MachineAction> {
  readonly name = 'machine';
  readonly parts = new Set<string>();
  /** What happened, in order. */
  readonly steps: string[] = [];
  machine: Machine | undefined = {
    apiVersion: 'test/v1',
    kind: 'Machine',
    metadata: { namespace: 'ns', name: 'm', uid: 'u', generation: 1 },
    spec: { parts: 2 },
  };
  failing: Failing = () => undefined;
  forgotten: string[] = [];

  read(): Machine | undefined {
    return this.machine;
  }

  async observe(): Promise<Seen> {
    return {
      parts: await observe(() =>
        this.#step('observe', () => (this.parts.size === 0 ? undefined : [...this.parts])),
      ),
    };
  }

  plan(machine: Machine, { parts }: Seen): Plan<MachineAction> {
    if (this.failing('plan') !== undefined) throw new Error('a bug in plan');
    const there = known(parts) ?? [];
    const wanted = Array.from({ length: machine.spec.parts }, (_, i) => `part-${i}`);
    const action = (kind: 'make' | 'remove', part: string): MachineAction => ({
      kind,
      part,
      reason: 'Progressing',
      note: `${kind} ${part}`,
    });
    return {
      actions: [
        ...wanted.filter((part) => !there.includes(part)).map((part) => action('make', part)),
        ...there.filter((part) => !wanted.includes(part)).map((part) => action('remove', part)),
      ],
    };
  }

  async execute({ kind, part }: MachineAction): Promise<void> {
    await this.#step(`${kind} ${part}`, () => {
      if (kind === 'make') this.parts.add(part);
      else this.parts.delete(part);
    });
  }

  status(machine: Machine, observed: Seen | undefined, outcome: Outcome<MachineAction>): DesiredStatus {
    const parts = observed?.parts.state === 'present' ? observed.parts.value.length : 0;
    switch (outcome.kind) {
      case 'converged':
        return this.#say('ready', 'Reconciled', `${machine.spec.parts} parts`, parts);
      case 'acted':
        return this.#say('progressing', 'Progressing', `${outcome.actions.length} changes`, parts);
      case 'failed': {
        const reason = outcome.step === 'execute' ? 'ActionFailed' : 'ObservationFailed';
        return this.#say(
          outcome.step === 'execute' ? 'progressing' : 'unknown',
          reason,
          String(outcome.error),
          parts,
        );
      }
    }
  }

  async writeStatus(machine: Machine, status: CompleteStatus): Promise<void> {
    await this.#step('status', () => {
      // As it comes back from the API server.
      this.machine = { ...machine, status: JSON.parse(JSON.stringify(status)) as CompleteStatus };
    });
  }

  forget(key: string): void {
    this.forgotten.push(key);
  }

  get ready(): string | undefined {
    return this.machine?.status?.conditions?.find(({ type }) => type === 'Ready')?.status;
  }

  async #step<T>(step: string, effect: () => T): Promise<T> {
    await Promise.resolve();
    this.steps.push(step);
    const failure = this.failing(step);
    if (failure?.when === 'before') throw failure.error;
    const result = effect();
    if (failure !== undefined) throw failure.error;
    return result;
  }

  #say(
    kind: 'ready' | 'progressing' | 'unknown',
    reason: 'Reconciled' | 'Progressing' | 'ActionFailed' | 'ObservationFailed',
    message: string,
    parts: number,
  ): DesiredStatus {
    return {
      conditions: standardConditions({ kind, reason, message }),
      fields: { parts, nothing: undefined },
    };
  }
}

class Stage {
  readonly time = new VirtualTime({ seed: 1 });
  readonly world = new World();
  readonly metrics = new OperatorMetrics();
  readonly events: EventFacts[] = [];
  readonly log: { readonly level: string; readonly message: string }[] = [];
  isLeader = true;
  readonly reconciler: Reconciler<Machine, Seen, MachineAction>;

  constructor() {
    const { environment: runtime } = this.time;
    this.reconciler = new Reconciler(this.world, {
      runtime,
      logger: createLogger({
        runtime,
        level: 'info',
        write: (line) => this.log.push(JSON.parse(line) as (typeof this.log)[number]),
      }),
      metrics: this.metrics,
      events: { record: (facts) => this.events.push(facts) },
      mayWrite: () => this.isLeader,
    });
  }

  reconcile(): ReturnType<Reconciler<Machine, Seen, MachineAction>['reconcile']> {
    return this.reconciler.reconcile('ns/m', new AbortController().signal);
  }

  async results(): Promise<Record<string, number>> {
    const lines = (await this.metrics.expose()).matchAll(
      /^controller_runtime_reconcile_total\{controller="machine",result="(\w+)"\} (\d+)$/gm,
    );
    return Object.fromEntries([...lines].map(([, result, count]) => [result ?? '', Number(count)]));
  }

  get warnings(): string[] {
    return this.log.filter(({ level }) => level !== 'info').map(({ message }) => message);
  }
}

describe('a reconciliation', () => {
  it('does what the plan says, then writes the status once', async () => {
    const stage = new Stage();
    assert.deepEqual(await stage.reconcile(), { kind: 'again', afterMs: 2_000 });
    assert.deepEqual(stage.world.steps, ['observe', 'make part-0', 'make part-1', 'status']);
    assert.equal(stage.world.ready, 'False');
    assert.deepEqual(await stage.reconcile(), { kind: 'done' });
    assert.deepEqual(stage.world.steps.slice(4), ['observe', 'status']);
    assert.equal(stage.world.ready, 'True');
    assert.equal(stage.world.machine?.status?.observedGeneration, 1);
    assert.deepEqual(await stage.results(), { requeue_after: 1, success: 1 });
    assert.deepEqual(stage.warnings, []);
  });

  it('writes nothing when nothing has changed', async () => {
    const stage = new Stage();
    for (let i = 0; i < 5; i++) await stage.reconcile();
    assert.deepEqual(stage.world.steps.slice(6), ['observe', 'observe', 'observe']);
  });

  it('tells events of actions and of what changed in the status, each once', async () => {
    const stage = new Stage();
    for (let i = 0; i < 5; i++) await stage.reconcile();
    const told = stage.events.map(({ type, action, note }) => `${type} ${action}: ${note}`);
    assert.deepEqual(told, ['Normal make: make part-0', 'Normal make: make part-1', 'Normal Ready: 2 parts']);
    assert.match(
      await stage.metrics.expose(),
      /^firn_reconcile_actions_total\{controller="machine",action="make",reason="Progressing"\} 2$/m,
    );
  });

  it('changes nothing while it cannot see what there is', async () => {
    const stage = new Stage();
    for (let i = 0; i < 2; i++) await stage.reconcile();
    stage.world.failing = (step) =>
      step === 'observe' ? { when: 'before', error: new ApiError('Unreachable', 'no route') } : undefined;
    stage.world.steps.length = 0;
    assert.deepEqual(await stage.reconcile(), { kind: 'retry', afterMs: undefined });
    assert.deepEqual(stage.world.steps, ['observe', 'status']);
    assert.deepEqual(stage.warnings, ['a reconciliation failed and is tried again']);
    assert.equal(stage.world.ready, 'Unknown');
    assert.equal(stage.world.parts.size, 2);
    assert.deepEqual(
      stage.events.slice(-1).map(({ type, reason }) => [type, reason]),
      [['Warning', 'ObservationFailed']],
    );
  });

  it('stops at the first action that fails, and says so in the status', async () => {
    const stage = new Stage();
    stage.world.failing = (step) =>
      step === 'make part-1'
        ? { when: 'before', error: new ApiError('TooManyRequests', 'busy', { retryAfterMs: 7_000 }) }
        : undefined;
    assert.deepEqual(await stage.reconcile(), { kind: 'retry', afterMs: 7_000 });
    assert.deepEqual(stage.world.steps, ['observe', 'make part-0', 'make part-1', 'status']);
    const [condition] = stage.world.machine?.status?.conditions ?? [];
    assert.equal(condition?.reason, 'ActionFailed');
    assert.deepEqual(await stage.results(), { error: 1 });
    assert.equal(stage.warnings.length, 1);
  });

  it('writes the status also when planning broke off', async () => {
    const stage = new Stage();
    stage.world.failing = (step) => (step === 'plan' ? { when: 'before', error: new Error() } : undefined);
    assert.equal((await stage.reconcile()).kind, 'retry');
    assert.deepEqual(stage.world.steps, ['observe', 'status']);
    assert.deepEqual(stage.warnings, ['planning failed, which is a bug']);
  });

  for (const where of ['make part-0', 'status']) {
    it(`begins again without a word when somebody else was faster: ${where}`, async () => {
      const stage = new Stage();
      const error = new ApiError('Conflict', 'changed');
      stage.world.failing = (step) => (step === where ? { when: 'before', error } : undefined);
      assert.deepEqual(await stage.reconcile(), { kind: 'retry' });
      assert.equal(stage.world.machine?.status, undefined);
      assert.deepEqual(stage.warnings, []);
      assert.deepEqual(await stage.results(), { requeue: 1 });
    });
  }

  it('tells no event of a status that could not be written', async () => {
    const stage = new Stage();
    stage.world.machine = { ...(stage.world.machine as Machine), spec: { parts: 0 } };
    stage.world.failing = (step) =>
      step === 'status' ? { when: 'before', error: new ApiError('InternalError', 'etcd') } : undefined;
    assert.equal((await stage.reconcile()).kind, 'retry');
    assert.deepEqual(stage.events, []);
    stage.world.failing = () => undefined;
    await stage.reconcile();
    assert.equal(stage.events.length, 1);
  });

  it('is done with an object that is gone, before or while it is worked on', async () => {
    const stage = new Stage();
    stage.world.failing = (step) =>
      step === 'status' ? { when: 'before', error: new ApiError('NotFound', 'gone') } : undefined;
    assert.equal((await stage.reconcile()).kind, 'again');
    stage.world.machine = undefined;
    assert.deepEqual(await stage.reconcile(), { kind: 'done' });
    assert.deepEqual(stage.world.forgotten, ['ns/m']);
    assert.deepEqual(stage.warnings, []);
  });

  it('writes nothing where this process is not the leader', async () => {
    const stage = new Stage();
    stage.isLeader = false;
    assert.equal((await stage.reconcile()).kind, 'retry');
    assert.deepEqual(stage.world.steps, ['observe']);
    assert.equal(stage.world.parts.size, 0);
  });

  it('tells work that takes too long to end', async () => {
    const stage = new Stage();
    const signals: AbortSignal[] = [];
    const reconciler = new Reconciler(
      {
        name: 'slow',
        read: () => stage.world.machine,
        observe: (_object, signal) => {
          signals.push(signal);
          return new Promise((_resolve, reject) => {
            signal.addEventListener('abort', () => reject(signal.reason as Error));
          });
        },
        plan: () => ({ actions: [] }),
        execute: () => Promise.resolve(),
        status: () => ({ conditions: [], fields: {} }),
        writeStatus: () => Promise.resolve(),
      },
      {
        runtime: stage.time.environment,
        logger: createLogger({ runtime: stage.time.environment, level: 'error', write: () => {} }),
        metrics: stage.metrics,
        events: { record: () => {} },
        mayWrite: () => true,
      },
    );
    const result = await stage.time.drive(() => reconciler.reconcile('ns/m', new AbortController().signal));
    assert.equal(result.kind, 'retry');
    assert.equal(stage.time.nowMs, 120_000);
    assert.equal(signals.length, 1);
  });
});

describe('reconciliations over a work queue', () => {
  it('lead to what the spec asks, whatever fails before or after its effect, and then rest', async () => {
    for (let seed = 1; seed <= 200; seed++) await randomFailures(seed);
  });
});

async function randomFailures(seed: number): Promise<void> {
  const stage = new Stage();
  const { world, time } = stage;
  const random = new VirtualRandom(seed, 'world');
  const reasons = ['Conflict', 'Unreachable', 'InternalError', 'NoAnswer'] as const;
  world.failing = () => {
    if (time.nowMs > 60_000 || !random.chance(0.4)) return undefined;
    return { when: random.pick(['before', 'after']), error: new ApiError(random.pick(reasons), 'injected') };
  };
  const queue = new WorkQueue({
    name: 'machine',
    runtime: time.environment,
    logger: createLogger({ runtime: time.environment, level: 'error', write: () => {} }),
    metrics: stage.metrics,
    work: (key, signal) => stage.reconciler.reconcile(key, signal),
  });
  inBackground(queue.run());
  queue.add('ns/m');
  for (let i = 0; i < 10; i++) {
    time.environment.after(random.below(50_000), () => {
      const before = world.machine as Machine;
      const { metadata } = before;
      const generation = (metadata.generation ?? 0) + 1;
      world.machine = { ...before, metadata: { ...metadata, generation }, spec: { parts: random.below(5) } };
      queue.add('ns/m');
    });
  }
  await time.run({ untilMs: 61_000 });
  await time.untilIdle();
  assert.equal(world.ready, 'True', `seed ${seed}`);
  assert.equal(world.parts.size, world.machine?.spec.parts);
  assert.equal(world.machine?.status?.observedGeneration, world.machine?.metadata.generation);
  const { length } = world.steps;
  queue.add('ns/m');
  await time.untilIdle();
  assert.deepEqual(world.steps.slice(length), ['observe'], 'nothing is written any more');
}
