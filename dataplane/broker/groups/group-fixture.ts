import type { Api } from '../../protocol/api.ts';
import { heartbeat } from '../../protocol/api/heartbeat.ts';
import { joinGroup } from '../../protocol/api/join-group.ts';
import { leaveGroup } from '../../protocol/api/leave-group.ts';
import { offsetCommit } from '../../protocol/api/offset-commit.ts';
import { offsetFetch } from '../../protocol/api/offset-fetch.ts';
import { syncGroup } from '../../protocol/api/sync-group.ts';
import { encodeSubscription } from '../../protocol/consumer-protocol.ts';
import { errorNameOf } from '../../protocol/error-code.ts';
import type { KafkaErrorName } from '../../protocol/error-code.ts';
import type { RequestInput, ResponseOf } from '../../protocol/api.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import { VirtualTime } from '../../runtime/virtual-time.ts';
import type { RequestContext } from '../request-context.ts';
import { StaticTopicsView } from './topics-view.ts';
import type { TopicView } from './topics-view.ts';
import { SimulatedLog, SimulatedLogStore } from './coordinator-log-fixture.ts';
import type { SimulatedLogFaults } from './coordinator-log-fixture.ts';
import { offsetsTopic } from './coordinator-log.ts';
import { GroupCoordinator } from './group-coordinator.ts';
import { groupHandlers } from './handlers.ts';
import type { GroupOptions } from './options.ts';
import { partitionOfGroup } from './partition-of-group.ts';

export interface GroupWorldOptions {
  readonly seed?: number | undefined;
  readonly brokers?: number | undefined;
  /** Of `__consumer_offsets`. */
  readonly partitions?: number | undefined;
  readonly options?: Partial<GroupOptions> | undefined;
  readonly topics?: readonly TopicView[] | undefined;
}

export type GroupHandlers = ReturnType<typeof groupHandlers>;

export interface WorldBroker {
  readonly log: SimulatedLog;
  readonly coordinator: GroupCoordinator;
  readonly handlers: GroupHandlers;
}

export function topicView(name: string, partitions: number, topicId = idOfTopic(name)): TopicView {
  return { name, partitions, topicId };
}

export function idOfTopic(name: string): string {
  return Buffer.from(name).toString('hex').padEnd(32, '0').slice(0, 32);
}

/** Group coordinators of several brokers over one simulated log, in virtual time. Broker 0 owns everything at first. */
export class GroupWorld {
  readonly time: VirtualTime;
  readonly store = new SimulatedLogStore();
  readonly faults: SimulatedLogFaults = { latencyMs: () => 5, append: () => 'durable' };
  readonly brokers: readonly WorldBroker[];
  readonly problems: string[] = [];
  readonly partitions: number;
  #topics: readonly TopicView[];

  constructor({ seed = 1, brokers = 1, partitions = 4, options, topics = [] }: GroupWorldOptions = {}) {
    this.time = new VirtualTime({ seed });
    this.partitions = partitions;
    this.#topics = topics;
    this.brokers = Array.from({ length: brokers }, () => this.#broker(options));
    this.setTopics(topics);
    const first = this.broker(0);
    for (let partition = 0; partition < partitions; partition++) this.move(partition, first);
  }

  get runtime(): Runtime {
    return this.time.environment;
  }

  get topics(): readonly TopicView[] {
    return this.#topics;
  }

  #broker(options: Partial<GroupOptions> | undefined): WorldBroker {
    const log = new SimulatedLog(this.store, this.runtime, this.faults);
    const onProblem = (what: string): void => {
      this.problems.push(what);
    };
    const coordinator = new GroupCoordinator({ log, runtime: this.runtime, options, onProblem });
    const handlers = groupHandlers({
      coordinator,
      directory: {
        offsetsPartitions: () => Promise.resolve(this.partitions),
        coordinatorOf: (partition) => {
          const owner = this.store.ownerOf(partition);
          const nodeId = this.brokers.findIndex((broker) => broker.log === owner);
          return nodeId < 0 ? undefined : { nodeId, host: `broker-${nodeId}`, port: 9092 };
        },
      },
      onProblem,
    });
    coordinator.start();
    return { log, coordinator, handlers };
  }

  broker(index: number): WorldBroker {
    const broker = this.brokers[index];
    if (broker === undefined) throw new Error(`there is no broker ${index}`);
    return broker;
  }

  ownerOf(groupId: string): WorldBroker | undefined {
    const owner = this.store.ownerOf(partitionOfGroup(groupId, this.partitions));
    return this.brokers.find(({ log }) => log === owner);
  }

  /** The old owner, if any, does not know until it is told. */
  move(partition: number, to: WorldBroker): void {
    this.store.assign(partition, to.log);
    to.log.tellServing(partition);
  }

  /** What a crash of the coordinator, or a hand-over, does. */
  restart(groupId: string): void {
    const partition = partitionOfGroup(groupId, this.partitions);
    const owner = this.ownerOf(groupId);
    owner?.log.tellLost(partition);
    owner?.log.tellServing(partition);
  }

  setTopics(topics: readonly TopicView[]): void {
    this.#topics = topics;
    const view = new StaticTopicsView([topicView(offsetsTopic, this.partitions), ...topics]);
    for (const { coordinator } of this.brokers) coordinator.topicsChanged(view);
  }

  /** See {@link callApi}. */
  call<Req, ReqInput, Res, ResInput>(
    ...args: Parameters<typeof callApi<Req, ReqInput, Res, ResInput>>
  ): Promise<Res> {
    return callApi(...args);
  }

  wait(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.runtime.after(ms, resolve);
    });
  }

  /** Runs `work` in virtual time, then ends the coordinators. */
  async run(work: () => Promise<void>): Promise<void> {
    try {
      await this.time.drive(work);
    } finally {
      for (const { coordinator } of this.brokers) coordinator.stop();
    }
  }
}

/** A request as it comes over the wire, in the version given or the newest. */
export async function callApi<Req, ReqInput, Res, ResInput>(
  api: Api<string, Req, ReqInput, Res, ResInput>,
  handle: (request: Req, context: RequestContext) => Promise<ResInput>,
  input: ReqInput,
  { version = api.versions.max, clientId = 'client' }: { version?: number; clientId?: string } = {},
): Promise<Res> {
  const request = api.request.decode(Buffer.concat(api.request.encode(input, version)), version);
  const response = await handle(request, contextOf(version, clientId));
  return api.response.decode(Buffer.concat(api.response.encode(response, version)), version);
}

function contextOf(apiVersion: number, clientId: string): RequestContext {
  return {
    connection: { id: 1, remoteAddress: '10.0.0.1', listener: 'PLAINTEXT' },
    clientId,
    apiVersion,
    correlationId: 1,
    principal: 'User:ANONYMOUS',
    signal: new AbortController().signal,
    afterResponse: () => undefined,
  };
}

/** One consumer of a classic group, by hand: each method is one request. */
export class ClassicClient {
  readonly #world: GroupWorld;
  readonly groupId: string;
  memberId = '';
  generation = -1;
  instanceId: string | null;
  topics: readonly string[];
  /** Which version of each API it speaks; default: the newest. */
  versions: { join?: number; other?: number } = {};
  sessionTimeoutMs = 10_000;
  rebalanceTimeoutMs = 30_000;
  protocolType = 'consumer';
  protocolNames: readonly string[] = ['range'];
  clientId = 'client';
  /** Which broker it asks; default: the coordinator. */
  broker: number | undefined;

  constructor(
    world: GroupWorld,
    groupId: string,
    options: { readonly instanceId?: string; readonly topics?: readonly string[] } = {},
  ) {
    this.#world = world;
    this.groupId = groupId;
    this.instanceId = options.instanceId ?? null;
    this.topics = options.topics ?? ['topic'];
  }

  get #handlers(): GroupHandlers {
    if (this.broker !== undefined) return this.#world.broker(this.broker).handlers;
    return (this.#world.ownerOf(this.groupId) ?? this.#world.broker(0)).handlers;
  }

  #version(version: number | undefined): { version?: number } {
    return version === undefined ? {} : { version };
  }

  /** JoinGroup as it is; takes on the member id and generation of the answer. */
  async join(): Promise<ResponseOf<typeof joinGroup>> {
    const metadata = encodeSubscription({ topics: this.topics });
    const request: RequestInput<typeof joinGroup> = {
      groupId: this.groupId,
      sessionTimeoutMs: this.sessionTimeoutMs,
      rebalanceTimeoutMs: this.rebalanceTimeoutMs,
      memberId: this.memberId,
      groupInstanceId: this.instanceId,
      protocolType: this.protocolType,
      protocols: this.protocolNames.map((name) => ({ name, metadata })),
    };
    const answer = await this.#world.call(joinGroup, this.#handlers.joinGroup, request, {
      ...this.#version(this.versions.join),
      clientId: this.clientId,
    });
    if (answer.errorCode === 0 || nameOf(answer) === 'MEMBER_ID_REQUIRED') this.memberId = answer.memberId;
    if (answer.errorCode === 0) this.generation = answer.generationId;
    return answer;
  }

  /** Both JoinGroups of a dynamic member. */
  async joinTwice(): Promise<ResponseOf<typeof joinGroup>> {
    const first = await this.join();
    return nameOf(first) === 'MEMBER_ID_REQUIRED' ? this.join() : first;
  }

  /** `assignments` by member id, for the leader. */
  async sync(
    assignments: Readonly<Record<string, string | Uint8Array>> = {},
  ): Promise<ResponseOf<typeof syncGroup>> {
    return this.#world.call(
      syncGroup,
      this.#handlers.syncGroup,
      {
        groupId: this.groupId,
        generationId: this.generation,
        memberId: this.memberId,
        groupInstanceId: this.instanceId,
        protocolType: this.protocolType,
        protocolName: this.protocolNames[0] ?? '',
        assignments: Object.entries(assignments).map(([memberId, assignment]) => ({
          memberId,
          assignment: typeof assignment === 'string' ? Buffer.from(assignment) : assignment,
        })),
      },
      this.#version(this.versions.other),
    );
  }

  async heartbeat(): Promise<KafkaErrorName | undefined> {
    return nameOf(
      await this.#world.call(heartbeat, this.#handlers.heartbeat, {
        groupId: this.groupId,
        generationId: this.generation,
        memberId: this.memberId,
        groupInstanceId: this.instanceId,
      }),
    );
  }

  async leave(): Promise<ResponseOf<typeof leaveGroup>> {
    return this.#world.call(leaveGroup, this.#handlers.leaveGroup, {
      groupId: this.groupId,
      members: [{ memberId: this.memberId, groupInstanceId: this.instanceId }],
    });
  }

  /** The error of the one partition. */
  async commit(
    topic: string,
    partition: number,
    offset: number,
    version = 9,
  ): Promise<KafkaErrorName | undefined> {
    const answer = await this.#world.call(
      offsetCommit,
      this.#handlers.offsetCommit,
      {
        groupId: this.groupId,
        generationIdOrMemberEpoch: this.generation,
        memberId: this.memberId,
        groupInstanceId: this.instanceId,
        topics: [
          {
            name: topic,
            partitions: [{ partitionIndex: partition, committedOffset: offset, committedMetadata: null }],
          },
        ],
      },
      { version },
    );
    return errorNameOf(answer.topics[0]?.partitions[0]?.errorCode ?? -1);
  }

  /** The committed offset, -1 for none; the error of the group, if it has one. */
  async fetch(topic: string, partition: number): Promise<number | KafkaErrorName | undefined> {
    const answer = await this.#world.call(
      offsetFetch,
      this.#handlers.offsetFetch,
      { groups: [{ groupId: this.groupId, topics: [{ name: topic, partitionIndexes: [partition] }] }] },
      { version: 9 },
    );
    const [group] = answer.groups;
    if (group === undefined || group.errorCode !== 0) return errorNameOf(group?.errorCode ?? -1);
    return group.topics[0]?.partitions[0]?.committedOffset;
  }
}

export function nameOf({ errorCode }: { readonly errorCode: number }): KafkaErrorName | undefined {
  return errorNameOf(errorCode);
}
