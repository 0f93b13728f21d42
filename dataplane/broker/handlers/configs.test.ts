import assert from 'node:assert/strict';
import { test } from 'node:test';
import { topicOf } from '../../cluster/cluster-fixture.ts';
import { topicConfigNames } from '../../cluster/config/topic-configs.ts';
import { createTopic } from '../../cluster/topic-changes.ts';
import { alterConfigs } from '../../protocol/api/alter-configs.ts';
import { describeConfigs } from '../../protocol/api/describe-configs.ts';
import type { DescribeConfigsResponse } from '../../protocol/api/describe-configs.ts';
import { incrementalAlterConfigs } from '../../protocol/api/incremental-alter-configs.ts';
import { listConfigResources } from '../../protocol/api/list-config-resources.ts';
import { configResourceType } from '../admin/config-resource.ts';
import { adminWorld, call, changed, shownError } from './admin-fixture.ts';
import type { AdminBroker } from './admin-fixture.ts';
import { alterConfigsHandler } from './alter-configs.ts';
import { describeConfigsHandler } from './describe-configs.ts';
import { incrementalAlterConfigsHandler } from './incremental-alter-configs.ts';
import { listConfigResourcesHandler } from './list-config-resources.ts';

const { topic, broker, brokerLogger, clientMetrics, group } = configResourceType;
const set = 0;
const remove = 1;
const append = 2;
const subtract = 3;

type Operation = readonly [name: string, operation: number, value?: string | null];
type Resource = readonly [type: number, name: string];

async function alter(
  { changes, whyNoTable }: AdminBroker,
  resources: readonly (readonly [...Resource, readonly Operation[]])[],
  validateOnly = false,
): Promise<string[]> {
  const answer = await call(
    incrementalAlterConfigs,
    incrementalAlterConfigsHandler({ changes, whyNoTable }),
    {
      resources: resources.map(([resourceType, resourceName, operations]) => ({
        resourceType,
        resourceName,
        configs: operations.map(([name, configOperation, value = null]) => ({
          name,
          configOperation,
          value,
        })),
      })),
      validateOnly,
    },
  );
  return answer.responses.map((response) => shownError(response));
}

async function describe(
  asked: AdminBroker,
  [resourceType, resourceName]: Resource,
  configurationKeys: readonly string[] | null = null,
): Promise<DescribeConfigsResponse['results'][number]> {
  const answer = await call(describeConfigs, describeConfigsHandler(asked), {
    resources: [{ resourceType, resourceName, configurationKeys }],
    includeSynonyms: true,
    includeDocumentation: true,
  });
  return answer.results[0] ?? assert.fail();
}

test('configs of a topic are set, removed, and their lists changed, with one write', async () => {
  const { time, join, server } = adminWorld();
  await time.drive(async () => {
    const one = await join(1);
    for (const [index, name] of ['a', 'b', 'c'].entries())
      await changed(one, (state) =>
        createTopic(state, topicOf(name, index + 1, { configs: { 'flush.ms': '9' } })),
      );
    const before = server.counters.put;
    const outcomes = await alter(one, [
      [
        topic,
        'a',
        [
          ['retention.ms', set, '5'],
          ['flush.ms', remove],
          ['cleanup.policy', subtract, 'delete'],
        ],
      ],
      [topic, 'b', [['leader.replication.throttled.replicas', append, '0:1']]],
      [topic, 'c', [['flush.ms', set, 'soon']]],
      [topic, 'none', [['flush.ms', set, '1']]],
    ]);
    assert.deepEqual(outcomes, [
      'NONE',
      'NONE',
      'INVALID_CONFIG: flush.ms is "soon" but must be a whole number from 0 to 9223372036854775807',
      'UNKNOWN_TOPIC_OR_PARTITION: there is no topic "none"',
    ]);
    assert.equal(server.counters.put, before + 1);
    assert.deepEqual(one.view.topicByName('a')?.topic.configs, { 'retention.ms': '5', 'cleanup.policy': '' });
    assert.deepEqual(one.view.topicByName('c')?.topic.configs, { 'flush.ms': '9' });
    await alter(one, [[topic, 'a', [['retention.ms', set, '6']]]], true);
    assert.equal(one.view.topicByName('a')?.topic.configs['retention.ms'], '5');
  });
});

test('what a request says wrongly is told apart from what a config may not be', async () => {
  const { time, join } = adminWorld();
  await time.drive(async () => {
    const one = await join(1);
    await changed(one, (state) => createTopic(state, topicOf('a', 1)));
    await changed(one, (state) => createTopic(state, topicOf('__own', 2, { internal: true })));
    const outcome = async (...resource: readonly [...Resource, readonly Operation[]]): Promise<string> =>
      (await alter(one, [resource])).join();
    assert.equal(
      await outcome(topic, 'a', [
        ['flush.ms', set, '1'],
        ['flush.ms', remove],
      ]),
      'INVALID_REQUEST: the request changes flush.ms of a more than once',
    );
    assert.equal(
      await outcome(topic, 'a', [['flush.ms', set, null]]),
      'INVALID_REQUEST: flush.ms has no value',
    );
    assert.match(await outcome(topic, 'a', [['flush.ms', 9, '1']]), /^INVALID_REQUEST: 9 is no operation/);
    assert.match(await outcome(topic, '', [['flush.ms', set, '1']]), /^INVALID_REQUEST: the name of a topic/);
    assert.match(await outcome(broker, 'x', []), /^INVALID_REQUEST: "x" is no broker id/);
    assert.match(await outcome(3, 'x', []), /^INVALID_REQUEST: 3 is no type of resource/);
    assert.match(await outcome(topic, '__own', [['flush.ms', set, '1']]), /^POLICY_VIOLATION/);
    assert.match(await outcome(topic, 'a', [['foo', set, '1']]), /^INVALID_CONFIG: "foo" is no topic config/);
    assert.equal(await outcome(topic, 'a', [['foo', remove]]), 'NONE');
    assert.match(
      await outcome(topic, 'a', [['compression.type', set, 'lz4']]),
      /^INVALID_CONFIG: .* not built; leave it at producer/,
    );
    const twice = await alter(one, [
      [topic, 'a', [['flush.ms', set, '1']]],
      [topic, 'a', [['flush.ms', set, '2']]],
    ]);
    assert.equal(twice[1], 'INVALID_REQUEST: the request names a more than once');
  });
});

test('settings of the cluster hold for all brokers; those of one broker, group or client are refused', async () => {
  const { time, join } = adminWorld();
  await time.drive(async () => {
    const one = await join(1);
    await changed(one, (state) => createTopic(state, topicOf('a', 1)));
    assert.deepEqual(
      await alter(one, [
        [
          broker,
          '',
          [
            ['log.retention.ms', set, '7'],
            ['firn.placement.by', set, 'operator'],
          ],
        ],
        [broker, '1', [['leader.replication.throttled.rate', remove]]],
      ]),
      ['NONE', 'NONE'],
    );
    const { state } = one.view;
    assert.equal(state?.placedBy, 'operator');
    assert.deepEqual(state?.configs, { 'log.retention.ms': '7' });
    const retention = (await describe(one, [topic, 'a'], ['retention.ms'])).configs;
    assert.deepEqual(
      retention.map(({ name, value, configSource }) => [name, value, configSource]),
      [['retention.ms', '7', 3]],
    );
    const outcome = async (...resource: readonly [...Resource, readonly Operation[]]): Promise<string> =>
      (await alter(one, [resource])).join();
    assert.match(await outcome(broker, '', [['num.partitions', set, '0']]), /^INVALID_CONFIG/);
    assert.match(await outcome(broker, '', [['firn.placement.by', set, 'me']]), /^INVALID_CONFIG/);
    assert.match(
      await outcome(broker, '', [['group.max.size', set, '5']]),
      /^INVALID_REQUEST: .* while brokers run/,
    );
    assert.match(
      await outcome(broker, '1', [['log.retention.ms', set, '5']]),
      /^INVALID_REQUEST: .* not built/,
    );
    assert.match(await outcome(brokerLogger, '1', [['root', set, 'DEBUG']]), /^INVALID_REQUEST: log levels/);
    assert.match(await outcome(group, 'g', [['consumer.session.timeout.ms', set, '5']]), /^INVALID_CONFIG/);
    assert.match(await outcome(clientMetrics, 'm', [['interval.ms', set, '5']]), /^INVALID_CONFIG/);
    assert.equal(await outcome(broker, '', [['firn.placement.by', remove]]), 'NONE');
    assert.equal(one.view.state?.placedBy, 'brokers');
  });
});

test('a broker is cordoned by a setting of its own, through any broker, until it is set or removed again', async () => {
  const { time, join } = adminWorld();
  await time.drive(async () => {
    const one = await join(1);
    const two = await join(2);
    const outcome = async (id: string, ...operations: readonly Operation[]): Promise<string> =>
      (await alter(one, [[broker, id, operations]])).join();
    const isCordoned = (): boolean => one.view.state?.brokers.get(2)?.cordoned === true;
    const told = async (): Promise<unknown> => {
      await two.cluster.refresh();
      const { configs } = await describe(two, [broker, '2'], ['firn.placement.cordoned']);
      return configs.map(({ value, configSource, readOnly, configType }) => [
        value,
        configSource,
        readOnly,
        configType,
      ]);
    };
    assert.deepEqual(await told(), [['false', 5, false, 1]]);
    assert.equal(await outcome('2', ['firn.placement.cordoned', set, 'TRUE']), 'NONE');
    assert(isCordoned());
    assert.deepEqual(await told(), [['true', 2, false, 1]]);
    assert.match(
      await outcome('2', ['firn.placement.cordoned', set, 'soon']),
      /^INVALID_CONFIG: firn.placement.cordoned is "soon"/,
    );
    assert.equal(await outcome('2', ['leader.replication.throttled.rate', remove]), 'NONE');
    assert(isCordoned());
    assert.equal(await outcome('2', ['firn.placement.cordoned', set, 'false']), 'NONE');
    assert(!isCordoned());
    await outcome('2', ['firn.placement.cordoned', set, 'true']);
    assert.equal(await outcome('2', ['firn.placement.cordoned', remove]), 'NONE');
    assert(!isCordoned());
    assert.equal(
      await outcome('7', ['firn.placement.cordoned', set, 'true']),
      'INVALID_REQUEST: broker 7 cannot be configured: there is no such broker',
    );
    assert.equal(await outcome('7', ['leader.replication.throttled.rate', remove]), 'NONE');
    assert.match(
      await outcome('2', ['firn.placement.cordoned', set, 'true'], ['num.partitions', set, '3']),
      /^INVALID_REQUEST: .* not built/,
    );
    assert(!isCordoned());
    assert.match(
      await outcome('', ['firn.placement.cordoned', set, 'true']),
      /^INVALID_CONFIG: "firn.placement.cordoned" is a setting of single brokers/,
    );
    // The older way sets exactly what it names, for brokers too.
    const older = async (...names: readonly string[]): Promise<unknown> =>
      await call(alterConfigs, alterConfigsHandler(one), {
        resources: [
          {
            resourceType: broker,
            resourceName: '2',
            configs: names.map((name) => ({ name, value: 'true' })),
          },
        ],
        validateOnly: false,
      });
    await older('firn.placement.cordoned');
    assert(isCordoned());
    await older();
    assert(!isCordoned());
  });
});

test('the older way sets exactly what it names', async () => {
  const { time, join } = adminWorld();
  await time.drive(async () => {
    const one = await join(1);
    await changed(one, (state) =>
      createTopic(state, topicOf('a', 1, { configs: { 'flush.ms': '9', 'retention.ms': '5' } })),
    );
    await alter(one, [[broker, '', [['firn.placement.by', set, 'operator']]]]);
    const { changes, whyNoTable } = one;
    const answer = await call(alterConfigs, alterConfigsHandler({ changes, whyNoTable }), {
      resources: [
        { resourceType: topic, resourceName: 'a', configs: [{ name: 'retention.ms', value: '6' }] },
        { resourceType: broker, resourceName: '', configs: [{ name: 'num.partitions', value: '3' }] },
        { resourceType: topic, resourceName: 'b', configs: [{ name: 'retention.ms', value: null }] },
      ],
      validateOnly: false,
    });
    assert.deepEqual(
      answer.responses.map((response) => shownError(response)),
      ['NONE', 'NONE', 'INVALID_REQUEST: retention.ms has no value'],
    );
    assert.deepEqual(one.view.topicByName('a')?.topic.configs, { 'retention.ms': '6' });
    assert.deepEqual(one.view.state?.configs, { 'num.partitions': '3' });
    assert.equal(one.view.state?.placedBy, 'brokers');
  });
});

test('every config of a topic is described, with its type, source, synonyms and documentation', async () => {
  const { time, join } = adminWorld();
  await time.drive(async () => {
    const one = await join(1);
    await changed(one, (state) => createTopic(state, topicOf('a', 1, { configs: { 'retention.ms': '5' } })));
    await alter(one, [[broker, '', [['log.retention.ms', set, '7']]]]);
    const { configs } = await describe(one, [topic, 'a']);
    assert.deepEqual(new Set(configs.map(({ name }) => name)), new Set(topicConfigNames));
    const retention = configs.find(({ name }) => name === 'retention.ms');
    assert(retention !== undefined);
    assert.match(retention.documentation ?? '', /^How long records are kept at least/);
    assert.deepEqual(
      { ...retention, documentation: '' },
      {
        name: 'retention.ms',
        value: '5',
        readOnly: false,
        configSource: 1,
        isSensitive: false,
        synonyms: [
          { name: 'retention.ms', value: '5', source: 1 },
          { name: 'log.retention.ms', value: '7', source: 3 },
          { name: 'log.retention.ms', value: '604800000', source: 5 },
        ],
        configType: 5,
        documentation: '',
      },
    );
    const typeOf = (name: string): number | undefined => configs.find((one) => one.name === name)?.configType;
    assert.deepEqual(
      ['preallocate', 'compression.type', 'segment.bytes', 'cleanup.policy', 'min.cleanable.dirty.ratio'].map(
        typeOf,
      ),
      [1, 2, 3, 7, 6],
    );
    assert.equal(
      shownError(await describe(one, [topic, 'none'])),
      'UNKNOWN_TOPIC_OR_PARTITION: there is no topic none',
    );
    assert.match(shownError(await describe(one, [topic, 'a/b'])), /^INVALID_TOPIC_EXCEPTION/);
  });
});

test('the zone that was chosen for a topic is told, as what is not set', async () => {
  const { time, join } = adminWorld();
  await time.drive(async () => {
    const one = await join(1, 'eu-1a');
    const configs = { 'table.placement.policy': 'HomeZone' };
    await changed(one, (state) => createTopic(state, topicOf('a', 1, { configs })));
    await changed(one, (state) => createTopic(state, topicOf('b', 2)));
    const zoneOf = async (name: string): Promise<readonly unknown[]> => {
      const described = await describe(one, [topic, name]);
      const zone = described.configs.find((config) => config.name === 'table.placement.zone');
      return [zone?.value, zone?.configSource];
    };
    assert.deepEqual(await zoneOf('a'), ['eu-1a', 5]);
    assert.deepEqual(await zoneOf('b'), ['', 5]);
  });
});

test('a broker tells what it was started with and what is set for the cluster', async () => {
  const { time, join } = adminWorld();
  await time.drive(async () => {
    const one = await join(1, 'eu-1a');
    await alter(one, [[broker, '', [['num.partitions', set, '4']]]]);
    const own = await describe(one, [broker, '1']);
    const values = new Map(own.configs.map((config) => [config.name, config]));
    const shown = (name: string): unknown => {
      const config = values.get(name);
      return [config?.value, config?.readOnly, config?.configSource];
    };
    assert.deepEqual(shown('node.id'), ['1', true, 4]);
    assert.deepEqual(shown('broker.rack'), ['eu-1a', true, 4]);
    assert.deepEqual(shown('group.max.size'), ['100', true, 4]);
    assert.deepEqual(shown('group.min.session.timeout.ms'), ['6000', true, 5]);
    assert.deepEqual(shown('num.partitions'), ['4', false, 3]);
    assert.deepEqual(shown('auto.create.topics.enable'), ['true', false, 5]);
    assert.deepEqual(shown('message.max.bytes'), ['1048588', false, 5]);
    const cluster = await describe(one, [broker, '']);
    assert.deepEqual(
      cluster.configs.map(({ name, value }) => [name, value]),
      [['num.partitions', '4']],
    );
    assert.match(
      shownError(await describe(one, [broker, '2'])),
      /^INVALID_REQUEST: this is broker 1: ask broker 2/,
    );
    assert.match(shownError(await describe(one, [brokerLogger, '1'])), /^INVALID_REQUEST/);
    assert.deepEqual(
      (await describe(one, [group, 'g'])).configs.map(({ name, value }) => [name, value]),
      [
        ['consumer.heartbeat.interval.ms', '5000'],
        ['consumer.session.timeout.ms', '45000'],
      ],
    );
    assert.equal((await describe(one, [clientMetrics, 'm'])).configs.length, 3);
  });
});

test('resources with configs are listed by type', async () => {
  const { time, join } = adminWorld();
  await time.drive(async () => {
    const one = await join(1);
    await changed(one, (state) => createTopic(state, topicOf('a', 1)));
    const listed = async (resourceTypes: readonly number[], version = 1): Promise<unknown> => {
      const answer = await call(
        listConfigResources,
        listConfigResourcesHandler(one),
        version === 0 ? {} : { resourceTypes },
        { version },
      );
      return answer.errorCode === 0
        ? answer.configResources.map(({ resourceType, resourceName }) => [resourceType, resourceName])
        : shownError(answer);
    };
    assert.deepEqual(await listed([]), [
      [broker, '1'],
      [topic, 'a'],
    ]);
    assert.deepEqual(await listed([topic]), [[topic, 'a']]);
    assert.deepEqual(await listed([group, clientMetrics]), []);
    assert.equal(await listed([3]), 'UNSUPPORTED_VERSION');
    assert.deepEqual(await listed([], 0), []);
  });
});

test('a topic that cannot be a table is not made one: by either request, under either name', async () => {
  const { time, join } = adminWorld();
  await time.drive(async () => {
    const one = await join(1);
    await changed(one, (state) => createTopic(state, topicOf('a', 1)));
    one.whyNoTable = (name) => Promise.resolve(`${name} has no flat schema`);
    const enable = (name: string, value: string) => alter(one, [[topic, 'a', [[name, set, value]]]]);
    for (const name of ['table.topic.enable', 'automq.table.topic.enable'])
      assert.deepEqual(await enable(name, 'True'), ['INVALID_CONFIG: a has no flat schema']);
    assert.deepEqual(await enable('table.topic.enable', 'false'), ['NONE']);
    const configs = [{ name: 'table.topic.enable', value: 'true' }];
    const answer = await call(alterConfigs, alterConfigsHandler(one), {
      resources: [{ resourceType: topic, resourceName: 'a', configs }],
      validateOnly: false,
    });
    assert.equal(answer.responses[0]?.errorMessage, 'a has no flat schema');
    one.whyNoTable = () => Promise.resolve(undefined);
    assert.deepEqual(await enable('automq.table.topic.enable', 'true'), ['NONE']);
    assert.equal(one.cluster.current?.topics.get('a')?.configs['table.topic.enable'], 'true');
  });
});
