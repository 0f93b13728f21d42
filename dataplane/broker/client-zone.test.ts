import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { clusterOf } from '../cluster/cluster-fixture.ts';
import type { ClusterState } from '../cluster/cluster-state.ts';
import { ClientZones, zonesOfClientId } from './client-zone.ts';
import type { ConnectionInfo } from './request-context.ts';

const state = clusterOf('a', 'b', 'c', 'd');
const withCidrs = (cidrs: string): ClusterState => ({ ...state, configs: { 'firn.zone.cidrs': cidrs } });
const connection = (more: Partial<ConnectionInfo> = {}): ConnectionInfo => ({
  id: 1,
  remoteAddress: '10.0.0.1',
  listener: 'internal',
  ...more,
});

test('client ids name zones by the conventions of several systems', () => {
  const zones: readonly (readonly [string, readonly string[]])[] = [
    ['zone_id=a', ['a']],
    ['automq_type=consumer&automq_az=a&automq_x=y', ['a']],
    ['billing,diskless_az=a', ['a']],
    ['billing diskless_az=a, more', ['a']],
    ['warpstream_session_id=5,warpstream_az=use1-az1,warpstream_interzone_lb=true', ['use1-az1']],
    ['app,ws_az=a', ['a']],
    ['zone=a', ['a']],
    ['x;zone=a.b_c-1', ['a.b_c-1']],
    ['zone=f,ws_az=e,warpstream_az=d,diskless_az=c,automq_az=b,zone_id=a', ['a', 'b', 'c', 'd', 'e', 'f']],
    ['timezone=a', []],
    ['my_zone=a', []],
    ['zone=', []],
    ['zone', []],
    ['', []],
  ];
  for (const [clientId, named] of zones) assert.deepEqual(zonesOfClientId(clientId), named, clientId);
});

test('a zone in a client id is found whatever stands around it', () => {
  const separator = fc.constantFrom(',', '&', ';', ' ', ', ');
  const word = fc.stringMatching(/^[\w.-]{1,12}$/);
  const pair = fc.tuple(
    word.map((name) => `x${name}`),
    word,
  );
  const names = fc.constantFrom('zone_id', 'automq_az', 'diskless_az', 'warpstream_az', 'ws_az', 'zone');
  fc.assert(
    fc.property(
      fc.array(pair),
      fc.array(pair),
      names,
      word,
      separator,
      (before, after, name, zone, between) => {
        const clientId = [...before, [name, zone], ...after].map((both) => both.join('=')).join(between);
        assert.deepEqual(zonesOfClientId(clientId), [zone]);
      },
    ),
  );
});

test('rack, client id, listener and address count in this order, each only with a zone that the cluster has', () => {
  const zone = fc.constantFrom('a', 'b', 'nowhere', undefined);
  fc.assert(
    fc.property(zone, zone, zone, zone, (rack, named, ofListener, ofAddress) => {
      const zones = new ClientZones({
        state: withCidrs(ofAddress === undefined ? '' : `${ofAddress}@10.0.0.0/8`),
      });
      const context = {
        connection: connection({ zone: ofListener }),
        clientId: named === undefined ? null : `app,ws_az=${named}`,
      };
      const expected = [rack, named, ofListener, ofAddress].find((known) => known === 'a' || known === 'b');
      assert.equal(zones.of(context, rack), expected);
      assert.equal(zones.of(context, rack), expected, 'asked again');
    }),
  );
});

test('of several zones in a client id the first that the cluster has counts', () => {
  const zones = new ClientZones({ state });
  assert.equal(zones.of({ connection: connection(), clientId: 'automq_az=x&zone=b&ws_az=c' }), 'c');
});

test('a rack that a connection has told once holds for its other requests', () => {
  const zones = new ClientZones({ state });
  const one = { connection: connection(), clientId: 'zone=a' };
  assert.equal(zones.of(one), 'a');
  assert.equal(zones.of(one, 'b'), 'b');
  assert.equal(zones.of(one), 'b');
  assert.equal(zones.of(one, ''), 'b');
  assert.equal(zones.of(one, null), 'b');
  assert.equal(zones.of(one, 'c'), 'c');
  assert.equal(zones.of({ ...one, connection: connection() }), 'a', 'another connection');
});

test('what changes in the cluster changes the zones of connections that stay', () => {
  const view: { state: ClusterState | undefined } = { state: undefined };
  const zones = new ClientZones(view);
  const one = { connection: connection(), clientId: 'zone=e' };
  assert.equal(zones.of(one), undefined, 'nothing is known of the cluster');
  view.state = withCidrs('d@10.0.0.0/8');
  assert.equal(zones.of(one), 'd');
  view.state = withCidrs('c@10.0.0.0/8');
  assert.equal(zones.of(one), 'c');
  view.state = clusterOf('a', 'e');
  assert.equal(zones.of(one), 'e');
});
