import { isIPv4, isIPv6 } from 'node:net';
import { ConfigError } from '../../runtime/config-entry.ts';

/** The cluster's config with the list. */
export const zoneCidrsConfig = 'firn.zone.cidrs';

/** As names of zones are written everywhere. */
const zoneName = /^[\w.-]{1,63}$/;

/** An address without its port, as a number of `bits` bits. */
interface Address {
  readonly bits: 32 | 128;
  readonly value: bigint;
}

interface Range extends Address {
  readonly prefix: number;
  readonly zone: string;
}

/**
 * Which addresses belong to which zone, as the systems write it that clients come from:
 *
 *     eu-1a@10.0.0.0/20,2001:db8:a::/48<>eu-1b@10.0.16.0/20
 *
 * IPv4 and IPv6; an address without a prefix length stands for itself. Where ranges lie in each other the smaller one counts.
 * An IPv4 address in IPv6 notation (`::ffff:10.0.0.1`, as sockets that take both tell it) is the IPv4 address.
 */
export class ZoneCidrs {
  /** Smallest ranges first. */
  readonly #ranges: readonly Range[];

  private constructor(ranges: readonly Range[]) {
    this.#ranges = ranges;
  }

  /** @throws ConfigError saying what is wrong with which part */
  static parse(text: string): ZoneCidrs {
    const parts = text.trim() === '' ? [] : text.split('<>');
    const ranges = new Map<string, Range>();
    for (const part of parts) {
      const at = part.indexOf('@');
      const zone = part.slice(0, Math.max(0, at)).trim();
      if (!zoneName.test(zone)) {
        throw new ConfigError(
          `${JSON.stringify(part)} names no zone: write ZONE@CIDR,CIDR and "<>" between zones, as in eu-1a@10.0.0.0/20<>eu-1b@10.0.16.0/20`,
        );
      }
      for (const cidr of part.slice(at + 1).split(',')) {
        const range = { ...parseCidr(cidr.trim()), zone };
        const name = `${range.bits}/${range.prefix}/${range.value}`;
        const other = ranges.get(name);
        if (other !== undefined && other.zone !== zone)
          throw new ConfigError(`${cidr.trim()} is given to zone ${other.zone} and to zone ${zone}`);
        ranges.set(name, range);
      }
    }
    return new ZoneCidrs([...ranges.values()].toSorted((a, b) => b.prefix - a.prefix));
  }

  /** `undefined`: the address is in no range, or is none. */
  zoneOf(address: string): string | undefined {
    if (this.#ranges.length === 0) return undefined;
    const parsed = parseAddress(address);
    if (parsed === undefined) return undefined;
    return this.#ranges.find((range) => isIn(parsed, range))?.zone;
  }
}

/** What is wrong with a list; `undefined`: nothing. */
export function zoneCidrsProblem(text: string): string | undefined {
  try {
    ZoneCidrs.parse(text);
    return undefined;
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
    throw error;
  }
}

function isIn({ bits, value }: Address, range: Range): boolean {
  const hostBits = BigInt(range.bits - range.prefix);
  return bits === range.bits && value >> hostBits === range.value >> hostBits;
}

function parseCidr(cidr: string): Omit<Range, 'zone'> {
  const match = /^([^/]+?)(?:\/(\d{1,3}))?$/.exec(cidr);
  const written = match?.[1] === undefined ? undefined : parseWritten(match[1]);
  if (written === undefined)
    throw new ConfigError(`${JSON.stringify(cidr)} is no CIDR such as 10.0.0.0/20 or 2001:db8::/48`);
  const prefix = match?.[2] === undefined ? written.bits : Number(match[2]);
  if (prefix > written.bits)
    throw new ConfigError(`${cidr} has a prefix of ${prefix} bits, but its addresses have ${written.bits}`);
  const range = { ...withoutMapping(written, prefix) };
  const beyond = range.value & ((1n << BigInt(range.bits - range.prefix)) - 1n);
  if (beyond !== 0n) {
    throw new ConfigError(
      `${cidr} is no network: its address has bits beyond the first ${prefix}. Is ${match?.[1]}/${written.bits} meant?`,
    );
  }
  return range;
}

function parseAddress(text: string): Address | undefined {
  const written = parseWritten(text.replace(/%.*$/, ''));
  return written === undefined ? undefined : withoutMapping(written, written.bits);
}

/** As it is written: an IPv4 address in IPv6 notation has 128 bits. */
function parseWritten(text: string): Address | undefined {
  if (isIPv4(text)) return { bits: 32, value: BigInt(ipv4Value(text)) };
  return isIPv6(text) && !text.includes('%') ? { bits: 128, value: ipv6Value(text) } : undefined;
}

const mappedPrefix = 0xffffn;

function withoutMapping({ bits, value }: Address, prefix: number): Address & { readonly prefix: number } {
  if (bits === 128 && prefix >= 96 && value >> 32n === mappedPrefix)
    return { bits: 32, value: value & 0xffff_ffffn, prefix: prefix - 96 };
  return { bits, value, prefix };
}

function ipv4Value(text: string): number {
  return text.split('.').reduce((value, part) => value * 256 + Number(part), 0);
}

function ipv6Value(text: string): bigint {
  const dotted = /[^:]*\.[^:]*$/.exec(text)?.[0];
  const last = dotted === undefined ? 0 : ipv4Value(dotted);
  const hextets =
    dotted === undefined
      ? text
      : `${text.slice(0, -dotted.length)}${Math.floor(last / 65_536).toString(16)}:${(last % 65_536).toString(16)}`;
  const [before = '', after] = hextets.split('::');
  const head = before === '' ? [] : before.split(':');
  const tail = after === undefined || after === '' ? [] : after.split(':');
  const zeros = Array.from({ length: 8 - head.length - tail.length }, () => '0');
  return [...head, ...zeros, ...tail].reduce((value, part) => (value << 16n) | BigInt(`0x${part}`), 0n);
}
