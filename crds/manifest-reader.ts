import { isAlias, isMap, isScalar, isSeq } from 'yaml';
import type { Document, LineCounter, Pair, ParsedNode, Range, Scalar, YAMLMap, YAMLSeq } from 'yaml';
import {
  ConfigError,
  defaultConfigValue,
  describeValid,
  parseConfigValue,
} from '../dataplane/runtime/config-entry.ts';
import { didYouMean } from '../dataplane/runtime/nearest-name.ts';
import type {
  ManifestField,
  ManifestFields,
  ManifestMap,
  ManifestObject,
  ManifestObjects,
  ManifestScalar,
  ManifestText,
  ManifestValue,
} from './manifest-field.ts';

/** Further ones would only bury the first. */
const maxProblems = 20;

/** Reads the fields of one YAML document. All problems are gathered, so that they can be mended in one go. */
export class ManifestReader {
  readonly problems: string[] = [];
  readonly #file: string;
  readonly #document: Document.Parsed;
  readonly #lines: LineCounter;

  constructor(file: string, document: Document.Parsed, lines: LineCounter) {
    this.#file = file;
    this.#document = document;
    this.#lines = lines;
  }

  /** What the document says; of no use when there are {@link problems}. */
  read<Field extends ManifestObject>(field: Field): ManifestValue<Field> {
    return this.#object(field, this.#document.contents, '', undefined) as ManifestValue<Field>;
  }

  refuse(at: Range | null | undefined, problem: string): undefined {
    if (this.problems.length < maxProblems) this.problems.push(`${this.#place(at)}: ${problem}`);
    return undefined;
  }

  #place(at: Range | null | undefined): string {
    return at === undefined || at === null ? this.#file : `${this.#file}:${this.#lines.linePos(at[0]).line}`;
  }

  /** @param at of the name, for what is missing */
  #value(field: ManifestField, given: unknown, path: string, at: Range | null | undefined): unknown {
    const node = this.#resolved(given);
    // As in Kubernetes: `null` is as if the field were not there.
    const isAbsent = node === undefined || node === null || (isScalar(node) && node.value === null);
    if (field.type === 'unbuilt')
      return isAbsent ? undefined : this.refuse(at, `${path} is not built yet; ${field.instead}`);
    if (isAbsent) return this.#absent(field, path, at);
    switch (field.type) {
      case 'object':
        return this.#object(field, node, path, at);
      case 'objects':
        return this.#objects(field, node, path, at);
      case 'map':
        return this.#map(node, path, at);
      default:
        return this.#setting(field, node, path, at);
    }
  }

  #absent(
    field: ManifestScalar | ManifestObject | ManifestObjects | ManifestMap,
    path: string,
    at: Range | null | undefined,
  ): unknown {
    if (field.type === 'map') return new Map();
    if (field.required) {
      const valid =
        field.type === 'object' || field.type === 'objects' ? '' : `; it must be ${describeValid(field)}`;
      return this.refuse(at, `${path} is missing${valid}`);
    }
    return field.type === 'object' || field.type === 'objects' ? undefined : defaultConfigValue(field);
  }

  #object(field: ManifestObject, node: unknown, path: string, at: Range | null | undefined): unknown {
    if (!isMap(node)) {
      const names = Object.keys(field.fields).join(', ');
      return this.refuse(rangeOf(node) ?? at, `${path === '' ? 'this' : path} must have fields: ${names}`);
    }
    const values = this.#fields(field.fields, node, path, at);
    if (field.oneOf) {
      const present = Object.entries(values).filter(([, value]) => value !== undefined);
      if (present.length !== 1 && this.problems.length === 0) {
        const names = Object.keys(field.fields).join(', ');
        this.refuse(at, `${path} must have exactly one of ${names}, not ${present.length} of them`);
      }
    }
    return values;
  }

  #fields(
    fields: ManifestFields,
    node: YAMLMap,
    path: string,
    at: Range | null | undefined,
  ): Record<string, unknown> {
    const given = new Map<string, { readonly value: unknown; readonly at: Range | null | undefined }>();
    for (const pair of node.items) {
      const { name, at } = nameOf(pair);
      if (Object.hasOwn(fields, name)) given.set(name, { value: pair.value, at });
      else {
        const known = Object.keys(fields);
        const hint = didYouMean(name, known) || `; known are ${known.join(', ')}`;
        this.refuse(at, `${joined(path, name)} is not a field${hint}`);
      }
    }
    const values = Object.entries(fields).map(([name, field]) => {
      const found = given.get(name);
      return [name, this.#value(field, found?.value, joined(path, name), found?.at ?? at ?? node.range)];
    });
    return Object.fromEntries(values) as Record<string, unknown>;
  }

  #objects(field: ManifestObjects, node: unknown, path: string, at: Range | null | undefined): unknown {
    if (!isSeq(node) || node.items.length === 0)
      return this.refuse(rangeOf(node) ?? at, `${path} must be a list with at least one item`);
    if (node.items.length > field.maxItems)
      return this.refuse(
        at,
        `${path} has ${node.items.length} items but at most ${field.maxItems} are possible`,
      );
    const { description, fields } = field;
    const names = new Set<unknown>();
    return node.items.map((given, i) => {
      const item = this.#resolved(given);
      const itemPath = `${path}[${i}]`;
      const value = this.#object(
        { type: 'object', description, fields },
        item,
        itemPath,
        rangeOf(item) ?? at,
      );
      const name = (value as { readonly name?: unknown } | undefined)?.name;
      if (name !== undefined && names.has(name))
        this.refuse(
          rangeOf(item),
          `${itemPath}.name is ${JSON.stringify(name)}, as that of an item before it`,
        );
      names.add(name);
      return value;
    });
  }

  #map(node: unknown, path: string, at: Range | null | undefined): unknown {
    if (!isMap(node)) return this.refuse(rangeOf(node) ?? at, `${path} must have names with values`);
    const texts = new Map<string, ManifestText>();
    for (const pair of node.items) {
      const { name, at } = nameOf(pair);
      const value = this.#resolved(pair.value);
      const text = isScalar(value) ? textOf(value) : undefined;
      const fieldPath = joined(path, name);
      if (text === undefined) this.refuse(at, `${fieldPath} must be text, a number, true or false`);
      else texts.set(name, { text, where: `${this.#place(at)}: ${fieldPath}` });
    }
    return texts;
  }

  #setting(field: ManifestScalar, node: unknown, path: string, at: Range | null | undefined): unknown {
    const where = rangeOf(node) ?? at;
    if (field.type === 'list') {
      const items = isSeq(node) ? this.#texts(node) : undefined;
      if (items === undefined || items.length === 0)
        return this.refuse(where, `${path} must be a list of texts with at least one item`);
      for (const [i, item] of items.entries()) {
        if (field.pattern?.regexp.test(item) === false)
          this.refuse(where, `${path}[${i}] is ${JSON.stringify(item)} but must be ${field.pattern.meaning}`);
      }
      return items;
    }
    if (!isScalar(node)) return this.refuse(where, `${path} must be ${describeValid(field)}`);
    const isText = typeof node.value === 'string';
    const wantsText = field.type === 'string' || field.type === 'enum';
    if (isText !== wantsText && field.type !== 'duration' && field.type !== 'bytes') {
      const hint = isText ? 'without quotes' : `put it in quotes if ${textOf(node)} is meant`;
      return this.refuse(where, `${path} is ${textOf(node)} but must be ${describeValid(field)}; ${hint}`);
    }
    try {
      return parseConfigValue(field, textOf(node), path);
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      return this.refuse(where, error.message);
    }
  }

  /** `undefined`: one of them is no text. */
  #texts(node: YAMLSeq): readonly string[] | undefined {
    const items = node.items.map((item) => this.#resolved(item));
    const texts = items.flatMap((item) =>
      isScalar(item) && typeof item.value === 'string' ? [item.value] : [],
    );
    return texts.length === items.length ? texts : undefined;
  }

  #resolved(node: unknown): unknown {
    return isAlias(node) ? node.resolve(this.#document) : node;
  }
}

function joined(path: string, name: string): string {
  if (path === '') return name;
  return /^[A-Za-z]\w*$/.test(name) ? `${path}.${name}` : `${path}[${JSON.stringify(name)}]`;
}

function nameOf(pair: Pair): { readonly name: string; readonly at: Range | null | undefined } {
  const { key } = pair;
  return { name: isScalar(key) ? textOf(key) : '(not a name)', at: rangeOf(key) };
}

/** As it stands in the file where it is no text: 1e3 and 0x10 stay what they are. */
function textOf(node: Scalar): string {
  return typeof node.value === 'string' ? node.value : (node.source ?? String(node.value));
}

function rangeOf(node: unknown): Range | null | undefined {
  return isMap(node) || isSeq(node) || isScalar(node) ? (node as ParsedNode).range : undefined;
}
