import assert from 'node:assert/strict';
import { BlockList } from 'node:net';
import { test } from 'node:test';
import fc from 'fast-check';
import { ZoneCidrs, zoneCidrsProblem } from './zone-cidrs.ts';

function zoneOf(list: string, address: string): string | undefined {
  return ZoneCidrs.parse(list).zoneOf(address);
}

test('addresses of both kinds have the zone of the smallest range that they lie in', () => {
  const list = 'a@10.0.0.0/20,2001:db8:a::/48<>b@10.0.16.0/20, 10.0.3.0/24<>c@192.0.2.7';
  assert.equal(zoneOf(list, '10.0.1.9'), 'a');
  assert.equal(zoneOf(list, '10.0.3.9'), 'b');
  assert.equal(zoneOf(list, '10.0.31.255'), 'b');
  assert.equal(zoneOf(list, '10.0.32.0'), undefined);
  assert.equal(zoneOf(list, '2001:db8:a:1::5'), 'a');
  assert.equal(zoneOf(list, '2001:db8:b::5'), undefined);
  assert.equal(zoneOf(list, '192.0.2.7'), 'c');
  assert.equal(zoneOf(list, '192.0.2.8'), undefined);
});

test('an IPv4 address in IPv6 notation is the IPv4 address, in the list too', () => {
  assert.equal(zoneOf('a@10.0.0.0/8', '::ffff:10.1.2.3'), 'a');
  assert.equal(zoneOf('a@10.0.0.0/8', '::ffff:a01:203'), 'a');
  assert.equal(zoneOf('a@::ffff:10.0.0.0/104', '10.1.2.3'), 'a');
  assert.equal(zoneOf('a@::/0', '10.1.2.3'), undefined);
  assert.equal(zoneOf('a@0.0.0.0/0', '2001:db8::1'), undefined);
});

test('what is no address is in no zone, and the zone of an interface does not matter', () => {
  assert.equal(zoneOf('a@0.0.0.0/0,::/0', 'unknown'), undefined);
  assert.equal(zoneOf('a@fe80::/10', 'fe80::1%eth0'), 'a');
  assert.equal(zoneOf('', '10.0.0.1'), undefined);
  assert.equal(zoneOf('   ', '10.0.0.1'), undefined);
});

test('what is wrong with a list is said', () => {
  const problems: readonly (readonly [string, RegExp])[] = [
    ['10.0.0.0/8', /names no zone: write ZONE@CIDR/],
    ['a b@10.0.0.0/8', /"a b@10.0.0.0\/8" names no zone/],
    ['a@10.0.0.0/8<>', /"" names no zone/],
    ['a@', /"" is no CIDR/],
    ['a@10.0.0/8', /"10.0.0\/8" is no CIDR such as/],
    ['a@10.0.0.0/8,', /"" is no CIDR/],
    ['a@10.0.0.256/32', /is no CIDR/],
    ['a@10.0.0.0/33', /has a prefix of 33 bits, but its addresses have 32/],
    ['a@2001:db8::/129', /has a prefix of 129 bits, but its addresses have 128/],
    ['a@10.0.0.5/16', /bits beyond the first 16. Is 10.0.0.5\/32 meant/],
    ['a@10.0.0.0/8<>b@10.0.0.0/8', /10.0.0.0\/8 is given to zone a and to zone b/],
    ['a@2001:db8::1%eth0/128', /is no CIDR/],
  ];
  for (const [list, problem] of problems) assert.match(zoneCidrsProblem(list) ?? '', problem, list);
  for (const list of ['', 'a@10.0.0.0/8', 'a@10.0.0.0/8<>a@10.0.0.0/8', 'eu-1.a_b@::/0'])
    assert.equal(zoneCidrsProblem(list), undefined, list);
});

const bytes = (count: number): fc.Arbitrary<number[]> =>
  fc.array(fc.constantFrom(0, 1, 127, 128, 254, 255), { minLength: count, maxLength: count });

function withBitFlipped(address: readonly number[], flip: number): number[] {
  const bit = flip % (address.length * 8);
  return address.map((byte, at) => (at === Math.floor(bit / 8) ? byte ^ (0x80 >> (bit % 8)) : byte));
}

function networkOf(address: readonly number[], prefix: number): number[] {
  return address.map((byte, at) => {
    const kept = Math.min(8, Math.max(0, prefix - at * 8));
    return byte & ((0xff00 >> kept) & 0xff);
  });
}

const text4 = (address: readonly number[]): string => address.join('.');
const text6 = (address: readonly number[]): string =>
  Array.from({ length: 8 }, (_, at) =>
    (((address[at * 2] ?? 0) << 8) | (address[at * 2 + 1] ?? 0)).toString(16),
  ).join(':');

test('ranges hold what Node.js says they hold', () => {
  for (const { size, text, type } of [
    { size: 4, text: text4, type: 'ipv4' as const },
    { size: 16, text: text6, type: 'ipv6' as const },
  ]) {
    fc.assert(
      fc.property(
        bytes(size),
        fc.integer({ min: 0, max: size * 8 }),
        fc.nat({ max: 255 }),
        fc.boolean(),
        (any, prefix, flip, isSame) => {
          const network = networkOf(any, prefix);
          const address = isSame ? any : withBitFlipped(any, flip);
          const oracle = new BlockList();
          oracle.addSubnet(text(network), prefix, type);
          const found = zoneOf(`z@${text(network)}/${prefix}`, text(address));
          assert.equal(found, oracle.check(text(address), type) ? 'z' : undefined);
        },
      ),
    );
  }
});
