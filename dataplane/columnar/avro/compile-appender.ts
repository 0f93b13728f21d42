/**
 * A writer's schema and a table's → one function that walks the bytes of many records straight into columns, without an
 * object for a record. What generated code looks like, for a long and an optional string:
 *
 *     rows: for (; i < to; i++, r++) {
 *       p = starts[i]; end = ends[i];
 *       if (end < 0) { site = 1; break rows; }          // a number for each thing that can be wrong
 *       p += frame;
 *       b = buf[p++]; z = b & 127; if (b > 127) { … }   // varint
 *       w0[2 * r] = lo; w0[2 * r + 1] = hi;
 *       b = buf[p++];
 *       if (b === 2) { d1[r] = 1; … c1.put(r, buf, dv, p, l) … }
 *       else if (b === 0) { d1[r] = 0; c1.putNull(r); }
 *       else { site = 7; break rows; }
 *       if (p !== end) { site = 9; break rows; }
 *     }
 *
 * No name of a schema gets into the text, only numbers. A record that fails ends the loop; what it has put into columns
 * stands beyond the last row.
 */
import type { AvroRecord } from '../../schema/avro/avro-schema.ts';
import type { TableSchema } from '../../schema/table-type.ts';
import type { Column } from '../columns/column.ts';
import { viewOf } from '../columns/byte-dictionary.ts';
import { DecimalValues } from './decimal-values.ts';
import { FailureSites } from './failure-sites.ts';
import { fieldCode } from './field-code.ts';
import { matchFields } from './match-fields.ts';
import type { MatchedField, MatchedFields } from './match-fields.ts';
import { readUuidText } from './uuid-text.ts';

/** Set by the generated function: what is wrong with the record it stopped at; 0: nothing. */
export interface FailureState {
  site: number;
}

/**
 * Walks the records `[from, to)` into the rows from `row` on, for which columns have room. Returns the record after the last
 * that became a row.
 */
export type WalkRecords = (
  buf: Buffer,
  dv: DataView,
  starts: Int32Array,
  ends: Int32Array,
  from: number,
  to: number,
  frameBytes: number,
  row: number,
  columns: readonly Column[],
  failure: FailureState,
) => number;

export interface CompiledAppender extends MatchedFields {
  /** Takes the columns of `fields`, in that order. */
  readonly walk: WalkRecords;
  readonly sites: FailureSites;
}

/** V8 optimizes no function of more than 60 KB of bytecode, which is some hundred fields. */
const mostFieldsInLine = 32;
const fieldsPerPart = 16;

const compiled = new WeakMap<TableSchema, WeakMap<AvroRecord, CompiledAppender>>();

/**
 * Compiled once for the same two objects: a table's files are many, its schemas few.
 *
 * @throws SchemaMismatchError when records of the writer cannot be rows of the table
 */
export function compileAppender(writer: AvroRecord, schema: TableSchema): CompiledAppender {
  const known = compiled.get(schema) ?? new WeakMap<AvroRecord, CompiledAppender>();
  compiled.set(schema, known);
  const appender = known.get(writer) ?? compile(matchFields(writer, schema));
  known.set(writer, appender);
  return appender;
}

function compile(matched: MatchedFields): CompiledAppender {
  const { fields } = matched;
  const sites = new FailureSites();
  const noValue = sites.add('NULL_VALUE', 'the record has no value (a tombstone)');
  const noFrame = sites.add('TRUNCATED', 'the value ends before its first field');
  const inParts = fields.length > mostFieldsInLine;
  const fail = (site: string): string => `site = ${site}; ${inParts ? 'return -1;' : 'break rows;'}`;
  const code = fields.map((field, index) => {
    const truncated = sites.add('TRUNCATED', `field ${field.writer.name}: the value ends inside it`);
    return fieldCode({ field, index, sites, truncated, fail });
  });
  const leftover = sites.add('LEFTOVER_BYTES', 'the value goes on behind its last field');
  const cut = sites.add('TRUNCATED', 'the value ends inside its last field');
  const scratch = 'let b = 0, z = 0, c = 0, d = 0, lo = 0, hi = 0, l = 0, v = 0, x = 0;';
  const parts: string[] = [];
  if (inParts) {
    for (let i = 0; i < code.length; i += fieldsPerPart)
      parts.push(code.slice(i, i + fieldsPerPart).join('\n'));
  }
  const text = `'use strict';
return function (buf, dv, starts, ends, from, to, frame, r, columns, failure) {
${fields.map(bindings).join('\n')}
let site = 0, i = from, p = 0, end = 0;
${inParts ? '' : scratch}
${parts.map((part, n) => `const part${n} = (p, end, r) => {\n${scratch}\n${part}\nreturn p;\n};`).join('\n')}
rows: for (; i < to; i++, r++) {
p = starts[i]; end = ends[i];
if (end < 0) { site = ${noValue}; break rows; }
p += frame;
if (p > end) { site = ${noFrame}; break rows; }
${inParts ? parts.map((_, n) => `p = part${n}(p, end, r); if (p < 0) break rows;`).join('\n') : code.join('\n')}
if (p !== end) { site = p < end ? ${leftover} : ${cut}; break rows; }
}
failure.site = site;
return i;
};`;
  const runtime: Record<string, unknown> = { readUuidText };
  for (const [index, field] of fields.entries()) {
    const constant = constantOf(field);
    if (constant !== undefined) runtime[`e${index}`] = constant;
  }
  // oxlint-disable-next-line typescript/no-implied-eval
  const make = new Function(...Object.keys(runtime), text) as (...values: unknown[]) => WalkRecords;
  return { ...matched, walk: make(...Object.values(runtime)), sites };
}

/** Source text: the variables of one column. */
function bindings({ column, type }: MatchedField, index: number): string {
  const lines = [`const c${index} = columns[${index}];`];
  if (!column.required) lines.push(`const d${index} = c${index}.definitions;`);
  switch (type.kind) {
    case 'string':
    case 'binary':
      break;
    case 'boolean':
      lines.push(`const w${index} = c${index}.values;`);
      break;
    case 'float':
      lines.push(`const f${index} = c${index}.floats;`);
      break;
    case 'double':
      lines.push(`const f${index} = c${index}.doubles;`);
      break;
    case 'uuid':
    case 'fixed':
      lines.push(`const w${index} = c${index}.bytes;`);
      break;
    case 'decimal':
      lines.push(`const w${index} = c${index}.${type.precision > 18 ? 'bytes' : 'words'};`);
      break;
    default:
      lines.push(`const w${index} = c${index}.words;`);
  }
  return lines.join(' ');
}

/** What the code of a field refers to as `e…`. */
function constantOf({ writer, type, conversion }: MatchedField): unknown {
  if (conversion === 'decimal') return new DecimalValues(type.kind === 'decimal' ? type.precision : 0);
  if (conversion !== 'enum' || writer.value.kind !== 'enum') return undefined;
  const symbols = writer.value.symbols.map((symbol) => Buffer.from(symbol));
  const bytes = Buffer.concat(symbols);
  const starts = new Int32Array(symbols.length + 1);
  for (const [i, symbol] of symbols.entries()) starts[i + 1] = (starts[i] ?? 0) + symbol.length;
  return { count: symbols.length, bytes, view: viewOf(bytes), starts };
}
