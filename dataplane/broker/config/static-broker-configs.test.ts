import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ConfigError } from '../../runtime/config-entry.ts';
import { brokerSettings } from '../broker-options.ts';
import { describedBrokerConfigs } from './broker-configs.ts';
import { staticBrokerConfigs, withStaticConfig } from './static-broker-configs.ts';

function described(name: string, text: string): string | null | undefined {
  const options = withStaticConfig({}, name, text, name);
  const settings = brokerSettings({ id: 0, zone: 'a', listeners: {}, store: 'memory:' }, options);
  return describedBrokerConfigs(settings).find((config) => config.name === name)?.value;
}

describe('static settings of a broker', () => {
  test('what was set is what DescribeConfigs shows', () => {
    for (const [name, { valid }] of Object.entries(staticBrokerConfigs)) {
      const values = valid.type === 'enum' ? valid.values : [`${valid.min}`, `${valid.max}`];
      for (const value of values) assert.equal(described(name, value), value, name);
    }
  });

  test('settings of one part do not undo each other', () => {
    let options = withStaticConfig({}, 'max.connections', '7', '');
    options = withStaticConfig(options, 'socket.request.max.bytes', '4096', '');
    options = withStaticConfig(options, 'connections.max.idle.ms', '9', '');
    const { connections } = brokerSettings({ id: 0, zone: 'a', listeners: {}, store: '' }, options);
    assert.equal(connections.maxConnections, 7);
    assert.equal(connections.maxIdleMs, 9);
    assert.equal(connections.limits.maxRequestBytes, 4096);
    assert.equal(connections.limits.maxRequestsInFlight, 256);
  });

  test('what cannot be set is refused with what to do', () => {
    for (const [name, text, message] of [
      ['max.connections', 'many', /^there is "many" but must be a whole number from 0 to 2147483647$/],
      ['max.conections', '1', /is no setting that Firn has; did you mean "max.connections"\?/],
      ['zookeeper.connect', 'x', /is no setting that Firn has; it has connections\.max\.idle\.ms, /],
      ['log.retention.hours', '1', /whole cluster.*--add-config log\.retention\.ms=…/],
      ['auto.create.topics.enable', 'true', /whole cluster.*--add-config auto\.create\.topics\.enable=…/],
      ['retention.ms', '1', /is a config of topics/],
      ['node.id', '1', /follows from what else/],
    ] as const) {
      assert.throws(
        () => withStaticConfig({}, name, text, 'there'),
        (error: unknown) => {
          assert(error instanceof ConfigError);
          assert.match(error.message, message);
          return true;
        },
      );
    }
  });
});
