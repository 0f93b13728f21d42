import { Fields } from '../../cluster/json-fields.ts';
import type { RegisteredSchema } from '../../schema/registry/registry-state.ts';
import type { PeerMethod, PeerShape } from './peer-method.ts';

const anyText = /^[^]*$/;

const schema: PeerShape<RegisteredSchema> = {
  encode: ({ id, schemaType, text, references }) => ({ id, schemaType, text, references }),
  decode: (json) => {
    const fields = new Fields(json);
    return {
      id: fields.integer('id', 0),
      schemaType: fields.text('schemaType', anyText),
      text: fields.text('text', anyText),
      references: fields.list('references', (reference) => reference),
    };
  },
};

/** What the registry has for an id; `undefined`: nobody was given it yet. */
export const schemaByIdMethod: PeerMethod<number, RegisteredSchema | undefined> = {
  name: 'schema-by-id',
  request: {
    encode: (id) => ({ id }),
    decode: (json) => new Fields(json).integer('id', 0),
  },
  response: {
    encode: (found) => ({ schema: found === undefined ? undefined : schema.encode(found) }),
    decode: (json) => new Fields(json).optionalNested('schema', schema.decode),
  },
};

/** The newest version of a subject; `undefined`: it has none. */
export interface LatestSchema {
  readonly schema: RegisteredSchema;
  readonly version: number;
}

export const latestSchemaMethod: PeerMethod<string, LatestSchema | undefined> = {
  name: 'latest-schema',
  request: {
    encode: (subject) => ({ subject }),
    decode: (json) => new Fields(json).text('subject', anyText),
  },
  response: {
    encode: (found) =>
      found === undefined ? {} : { schema: schema.encode(found.schema), version: found.version },
    decode: (json) => {
      const fields = new Fields(json);
      const found = fields.optionalNested('schema', schema.decode);
      return found === undefined ? undefined : { schema: found, version: fields.integer('version', 1) };
    },
  },
};
