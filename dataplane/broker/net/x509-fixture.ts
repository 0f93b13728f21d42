import { generateKeyPairSync, sign } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { realRuntime } from '../../runtime/real-runtime.ts';

/** For tests: certificates (RFC 5280), as little of them as OpenSSL needs, so that no private key lies in the repository. */

export interface Authority {
  readonly name: string;
  readonly key: KeyObject;
  readonly certificate: string;
}

export interface Issued {
  readonly certificate: string;
  readonly key: string;
}

export function newAuthority(name: string): Authority {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const tbs = toBeSigned({ subject: name, issuer: name, publicKey, isAuthority: true, validFor: 3_600_000 });
  return { name, key: privateKey, certificate: signed(tbs, privateKey) };
}

/** @param validFor milliseconds from now; negative: it has expired */
export function issue(authority: Authority, subject: string, validFor = 3_600_000): Issued {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const tbs = toBeSigned({ subject, issuer: authority.name, publicKey, isAuthority: false, validFor });
  return {
    certificate: signed(tbs, authority.key),
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  };
}

const ecdsaWithSha256 = sequence(Buffer.from('06082a8648ce3d040302', 'hex'));

function toBeSigned(certificate: {
  readonly subject: string;
  readonly issuer: string;
  readonly publicKey: KeyObject;
  readonly isAuthority: boolean;
  readonly validFor: number;
}): Buffer {
  const { subject, issuer, publicKey, isAuthority, validFor } = certificate;
  const nowMs = realRuntime.wallMs();
  const basicConstraints = sequence(
    Buffer.from('0603551d13', 'hex'),
    der(0x01, Buffer.from([0xff])),
    der(0x04, sequence(...(isAuthority ? [der(0x01, Buffer.from([0xff]))] : []))),
  );
  return sequence(
    der(0xa0, der(0x02, Buffer.from([2]))),
    der(0x02, Buffer.concat([Buffer.from([1]), realRuntime.random.bytes(8)])),
    ecdsaWithSha256,
    nameOf(issuer),
    sequence(time(Math.min(nowMs, nowMs + validFor) - 3_600_000), time(nowMs + validFor)),
    nameOf(subject),
    publicKey.export({ type: 'spki', format: 'der' }),
    der(0xa3, sequence(basicConstraints)),
  );
}

function signed(tbs: Buffer, key: KeyObject): string {
  const signature = Buffer.concat([Buffer.from([0]), sign('sha256', tbs, key)]);
  const base64 = sequence(tbs, ecdsaWithSha256, der(0x03, signature)).toString('base64');
  const lines = base64.match(/.{1,64}/g) ?? [];
  return ['-----BEGIN CERTIFICATE-----', ...lines, '-----END CERTIFICATE-----', ''].join('\n');
}

function nameOf(commonName: string): Buffer {
  const attribute = sequence(Buffer.from('0603550403', 'hex'), der(0x0c, Buffer.from(commonName)));
  return sequence(der(0x31, attribute));
}

function time(ms: number): Buffer {
  const text = new Date(ms).toISOString().replaceAll(/[-:T]|\.\d+/g, '');
  return der(0x18, Buffer.from(text));
}

function sequence(...parts: readonly Buffer[]): Buffer {
  return der(0x30, Buffer.concat(parts));
}

function der(tag: number, value: Buffer): Buffer {
  const { length } = value;
  const size = length < 128 ? [length] : length < 256 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...size]), value]);
}
