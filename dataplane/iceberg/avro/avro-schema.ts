import { FormatError } from '../errors.ts';
import { isJsonObject, shown } from '../json/json-object.ts';
import { parseJson } from '../json/lossless-json.ts';

/** A writer's schema, as far as Iceberg's Avro files need it; `fieldId` is Iceberg's attribute. */
export type AvroType =
  | { readonly kind: 'null' | 'boolean' | 'int' | 'long' | 'float' | 'double' | 'bytes' | 'string' }
  | { readonly kind: 'fixed'; readonly sizeBytes: number }
  | { readonly kind: 'enum'; readonly symbols: readonly string[] }
  | { readonly kind: 'array'; readonly items: AvroType }
  | { readonly kind: 'map'; readonly values: AvroType }
  | { readonly kind: 'union'; readonly branches: readonly AvroType[] }
  | { readonly kind: 'record'; readonly name: string; readonly fields: readonly AvroField[] };

/** Of a field without the attribute; ids of Iceberg begin at 0. */
export const noFieldId = -1;

export interface AvroField {
  readonly name: string;
  readonly fieldId: number;
  readonly type: AvroType;
}

const primitives = ['null', 'boolean', 'int', 'long', 'float', 'double', 'bytes', 'string'] as const;
const maxDepth = 64;

/** Recursive schemas are refused: Iceberg has none. */
export function parseAvroSchema(text: string, source: string): AvroType {
  return new SchemaReader(source).read(parseJson(text, source), 'avro.schema', 0);
}

class SchemaReader {
  readonly #source: string;
  readonly #named: Map<string, AvroType> = new Map();
  readonly #heights: Map<AvroType, number> = new Map();

  constructor(source: string) {
    this.#source = source;
  }

  read(json: unknown, path: string, depth: number): AvroType {
    if (depth > maxDepth) throw this.#tooDeep(path);
    if (typeof json === 'string') return this.#byName(json, path, depth);
    if (Array.isArray(json)) {
      const branches = (json as unknown[]).map((branch, at) =>
        this.read(branch, `${path}[${at}]`, depth + 1),
      );
      if (branches.length === 0) throw this.#invalid(path, 'a union of no types');
      return { kind: 'union', branches };
    }
    if (!isJsonObject(json)) throw this.#invalid(path, `${shown(json)} is no type`);
    const { type } = json;
    switch (type) {
      case 'record':
        return this.#record(json, path, depth);
      case 'array':
        return { kind: 'array', items: this.read(json['items'], `${path}.items`, depth + 1) };
      case 'map':
        return { kind: 'map', values: this.read(json['values'], `${path}.values`, depth + 1) };
      case 'fixed': {
        const size = json['size'];
        if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0)
          throw this.#invalid(`${path}.size`, `${shown(size)} is no size`);
        return this.#name(json, { kind: 'fixed', sizeBytes: size });
      }
      case 'enum': {
        const symbols = json['symbols'];
        if (!Array.isArray(symbols) || !symbols.every((symbol) => typeof symbol === 'string'))
          throw this.#invalid(`${path}.symbols`, 'is no list of texts');
        return this.#name(json, { kind: 'enum', symbols });
      }
      default:
        return this.read(type, path, depth + 1);
    }
  }

  #record(json: Readonly<Record<string, unknown>>, path: string, depth: number): AvroType {
    const { fields } = json;
    if (!Array.isArray(fields)) throw this.#invalid(`${path}.fields`, `${shown(fields)} is no list`);
    const name = typeof json['name'] === 'string' ? json['name'] : '';
    const read = (fields as unknown[]).map((field, at): AvroField => {
      const place = `${path}.fields[${at}]`;
      if (!isJsonObject(field) || typeof field['name'] !== 'string')
        throw this.#invalid(place, 'is no field');
      const id = field['field-id'];
      return {
        name: field['name'],
        fieldId: typeof id === 'number' ? id : noFieldId,
        type: this.read(field['type'], `${place}.type`, depth + 1),
      };
    });
    return this.#name(json, { kind: 'record', name, fields: read });
  }

  #name(json: Readonly<Record<string, unknown>>, type: AvroType): AvroType {
    if (typeof json['name'] === 'string') this.#named.set(json['name'], type);
    return type;
  }

  #byName(name: string, path: string, depth: number): AvroType {
    const primitive = primitives.find((known) => known === name);
    if (primitive !== undefined) return { kind: primitive };
    const named = this.#named.get(name);
    if (named === undefined) throw this.#invalid(path, `${shown(name)} is no type`);
    // Each of a chain of types that name one another can stand at a small depth of its own.
    if (depth + this.#heightOf(named) > maxDepth) throw this.#tooDeep(path);
    return named;
  }

  /** How many types deep the values of a type are nested; each type is looked at once. */
  #heightOf(type: AvroType): number {
    const known = this.#heights.get(type);
    if (known !== undefined) return known;
    const height = 1 + partsOf(type).reduce((most, part) => Math.max(most, this.#heightOf(part)), 0);
    this.#heights.set(type, height);
    return height;
  }

  #tooDeep(field: string): FormatError {
    return this.#invalid(field, `types are nested deeper than ${maxDepth}`);
  }

  #invalid(field: string, what: string): FormatError {
    return new FormatError('INVALID', { source: this.#source, field }, what);
  }
}

function partsOf(type: AvroType): readonly AvroType[] {
  switch (type.kind) {
    case 'array':
      return [type.items];
    case 'map':
      return [type.values];
    case 'union':
      return type.branches;
    case 'record':
      return type.fields.map((field) => field.type);
    default:
      return [];
  }
}
