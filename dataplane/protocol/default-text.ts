import { layoutStruct } from './field-layout.ts';
import type { DefaultValue } from './field-layout.ts';
import type { FieldType } from './field.ts';

/** Source text of a default; generated code has `emptyBytes` at hand. */
export function defaultText(value: DefaultValue, type: FieldType, version: number): string {
  switch (value.kind) {
    case 'scalar':
      return scalarText(value.value);
    case 'empty-array':
      return '[]';
    case 'empty-bytes':
      return 'emptyBytes';
    case 'struct': {
      const fields = type.kind === 'struct' ? layoutStruct(type.fields, version, true).fields : [];
      const texts = fields.map(
        (field) => `${field.name}: ${defaultText(field.defaultValue, field.type, version)}`,
      );
      return `{ ${texts.join(', ')} }`;
    }
  }
}

/** Source text of a number (Infinity included), a string, a boolean or null. */
export function scalarText(value: number | string | boolean | null): string {
  return typeof value === 'number' ? String(value) : JSON.stringify(value);
}

/** What empty bytes decode to. */
export const emptyBytes = Buffer.alloc(0);
