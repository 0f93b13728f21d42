import { compileDecoder } from './compile-decoder.ts';
import type { Decoder, VersionedMessage } from './compile-decoder.ts';
import { compileEncoder } from './compile-encoder.ts';
import type { Encoder } from './compile-encoder.ts';
import { ProtocolError } from './errors.ts';
import type { Decoded, Fields, Input } from './field.ts';
import { isInRange, parseVersionRange } from './version-range.ts';
import type { VersionRange, VersionRangeText } from './version-range.ts';
import { cursor } from './wire-reader.ts';
import { WireWriter } from './wire-writer.ts';

export interface MessageDeclaration<F extends Fields> {
  /** As Kafka names it: `CreateTopicsRequest`. */
  readonly name: string;
  readonly versions: VersionRangeText;
  readonly flexible: VersionRangeText;
  readonly fields: F;
  /**
   * True for responses: their fields are lost in versions that lack them, as if all were `ignorable`. Who asks in an old
   * version cannot be told more, and an answer is better than none. Default false.
   */
  readonly isLenient?: boolean | undefined;
}

/**
 * One message in all its versions. Codecs are compiled when a version is first used. Both are synchronous and keep
 * nothing of what they are given, except for the views and pieces named below.
 */
export interface Message<T, I> {
  readonly name: string;
  readonly versions: VersionRange;
  /** Versions with compact lengths and tagged fields. */
  readonly flexibleVersions: VersionRange;
  readonly fields: Fields;

  /**
   * The message that starts at `position`. Bytes after it are ignored, as in Kafka. `bytes` and `records` are views of
   * what was given, so it must not change while they are in use. What is made follows the bytes that are there, not the
   * counts that they announce, but a hostile message of tiny elements takes up to some 40 times its own bytes: callers
   * allow large frames only to the APIs whose bulk is records.
   *
   * @throws ProtocolError when the bytes are none, or the message has no such version
   */
  decode(bytes: Uint8Array, version: number, position?: number): T;

  /** `decode`, and the position after the message. */
  decodePart(bytes: Uint8Array, version: number, position: number): { value: T; end: number };

  /**
   * The message in pieces, to be written one after the other. Larger `bytes` and `records` are among them, not copied.
   *
   * @throws ProtocolError when a value is missing or not of its type, or the version lacks a field that is set and not
   * ignorable, or the message has no such version
   */
  encode(value: I, version: number): Uint8Array[];

  /** `encode` for a message that is part of a larger one. */
  encodeInto(writer: WireWriter, value: I, version: number): void;
}

export type AnyMessage = Message<unknown, never>;

/** What `message.decode` yields. */
export type DecodedOf<M> = M extends Message<infer T, never> ? T : never;
/** What `message.encode` takes. */
export type InputOf<M> = M extends Message<unknown, infer I> ? I : never;

export function defineMessage<const F extends Fields>(
  declaration: MessageDeclaration<F>,
): Message<Decoded<F>, Input<F>> {
  return new CompiledMessage<Decoded<F>, Input<F>>(declaration);
}

class CompiledMessage<T, I> implements Message<T, I> {
  readonly name: string;
  readonly versions: VersionRange;
  readonly flexibleVersions: VersionRange;
  readonly fields: Fields;
  readonly #isLenient: boolean;
  readonly #decoders: (Decoder | undefined)[] = [];
  readonly #encoders: (Encoder | undefined)[] = [];

  constructor(declaration: MessageDeclaration<Fields>) {
    this.name = declaration.name;
    this.versions = parseVersionRange(declaration.versions);
    this.flexibleVersions = parseVersionRange(declaration.flexible);
    this.fields = declaration.fields;
    this.#isLenient = declaration.isLenient ?? false;
  }

  decode(bytes: Uint8Array, version: number, position = 0): T {
    const decoder = (this.#decoders[version] ??= compileDecoder(this.#inVersion(version)));
    return decoder(asBuffer(bytes), position, bytes.length) as T;
  }

  decodePart(bytes: Uint8Array, version: number, position: number): { value: T; end: number } {
    const value = this.decode(bytes, version, position);
    return { value, end: cursor.position };
  }

  encode(value: I, version: number): Uint8Array[] {
    sharedWriter.begin();
    this.encodeInto(sharedWriter, value, version);
    return sharedWriter.finish();
  }

  encodeInto(writer: WireWriter, value: I, version: number): void {
    const encoder = (this.#encoders[version] ??= compileEncoder(this.#inVersion(version)));
    encoder(writer, value);
  }

  #inVersion(version: number): VersionedMessage {
    const { name, fields, versions } = this;
    if (!Number.isInteger(version) || !isInRange(version, versions)) {
      throw new ProtocolError(
        'UNSUPPORTED_VERSION',
        { messageName: name, version, field: '' },
        `versions ${versions.min} to ${versions.max} exist`,
      );
    }
    const flexible = isInRange(version, this.flexibleVersions);
    return { name, fields, version, flexible, isLenient: this.#isLenient };
  }
}

/** Encoding is synchronous: one at a time. */
const sharedWriter = new WireWriter();

function asBuffer(bytes: Uint8Array): Buffer {
  if (bytes instanceof Buffer) return bytes as Buffer;
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
